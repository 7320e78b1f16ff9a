"""Several backends at once, each in a process of its own: folders and ports are apart."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from service.variants import QUEUES, Variant

AT_ONCE = int(os.environ.get("AT_ONCE") or 1)
R = TypeVar("R")


def for_each(variants: Iterable[Variant], work: Callable[..., R], *args: object) -> list[R]:
    """Do this work for each backend, `AT_ONCE` of them at the same time; returns what came of each, in order."""
    with ProcessPoolExecutor(AT_ONCE) as processes:
        runs = [processes.submit(work, variant, *args) for variant in variants]
        return [run.result() for run in runs]


def asked_for() -> list[Variant]:
    """Return the backend that `BACKEND` names, or all of them."""
    backend = os.environ.get("BACKEND", "")
    return [variant for variant in QUEUES if backend in ("", str(variant))]
