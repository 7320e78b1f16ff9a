"""Threads for the calls that wait for a broker or a job store, away from the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from app.jobs.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# Threads of their own: slow answers must not use up those that serve synchronous endpoints.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="jobs")
_PATIENCE_S = 2.0


async def in_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call in a thread.

    Raises:
        Unavailable: No answer within 2 s.
    """
    context = copy_context()
    answer = asyncio.get_running_loop().run_in_executor(_threads, lambda: context.run(call, *args, **kwargs))
    try:
        return await asyncio.wait_for(answer, _PATIENCE_S)
    except TimeoutError as error:
        raise Unavailable(f"No answer within {_PATIENCE_S:.0f} s") from error
