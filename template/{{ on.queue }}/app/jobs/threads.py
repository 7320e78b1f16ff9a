"""Threads for the calls that wait for a broker or a job store, away from the event loop, and what they share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from app.jobs.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# Threads of their own: slow answers must not use up those that serve synchronous endpoints.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="jobs")
# Callers are promised an answer within 2 s, whatever hangs.
_PATIENCE_S = 1.5


async def in_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call in a thread.

    Raises:
        Unavailable: No answer within 1.5 s.
    """
    work = partial(copy_context().run, call, *args, **kwargs)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await asyncio.get_running_loop().run_in_executor(_threads, work)
    except TimeoutError as error:
        raise Unavailable(f"No answer within {_PATIENCE_S} s") from error


class Once(Generic[P, R]):
    """A cached function that runs once for the same arguments, also when threads call it at the same moment."""

    def __init__(self, make: Callable[P, R]) -> None:
        self._make = make
        self._made: dict[object, R] = {}
        self._lock = Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        asked = (args, *kwargs.items())
        with self._lock:
            if asked not in self._made:
                self._made[asked] = self._make(*args, **kwargs)
            return self._made[asked]

    def cache_clear(self) -> None:
        """Forget what was made, so that the next call makes it anew."""
        self._made.clear()
