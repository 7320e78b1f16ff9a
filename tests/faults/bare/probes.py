"""The probes by name, as plain functions: what a user of a library would decorate."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import probe_work as work

Probe = Callable[..., Any]


def ready(token: str) -> None:
    """Show that this worker runs jobs."""
    work.note("ready", token)


def _blocking(coroutine: Probe) -> Probe:
    @functools.wraps(coroutine)
    def run(*args: Any) -> None:
        asyncio.run(coroutine(*args))

    return run


COROUTINES = {run.__name__: run for run in (work.async_nap, work.async_sleep_on, work.async_swallow, work.async_block)}
FUNCTIONS = (work.nap, work.carry, work.spin, work.sleep_on, work.swallow, work.leak, work.crash, work.fail, ready)
PROBES = {run.__name__: run for run in FUNCTIONS} | {name: _blocking(run) for name, run in COROUTINES.items()}


def name_of(name: str) -> str:
    """Return which probe a name stands for: without settings there is one lane for all."""
    return {"urgent_nap": "nap", "cpu_nap": "nap", "crash_apart": "crash"}.get(name, name)
