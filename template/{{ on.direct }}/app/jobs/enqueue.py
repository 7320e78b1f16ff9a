"""Hand a job over to the runner of this process."""

import asyncio
import json
from datetime import timedelta
from typing import Any, ParamSpec

from app.jobs.declare import Task
from app.jobs.record import Job
from app.jobs.runner import open_runner

P = ParamSpec("P")


async def enqueue(
    task: Task[P, Any],
    *args: Any,
    idempotency_key: str | None = None,
    delay: timedelta = timedelta(0),
) -> Job:
    """Hand a job over; it runs in this process, beside what the caller does, and is lost when the process dies.

    A script calls this inside `async with background_jobs():`; the API does so by itself.

    Args:
        task: What to run.
        args: Its arguments, as JSON can carry them.
        idempotency_key: A repeat with the same key returns the first job, for as long as it is kept.
        delay: How long to wait before it may start.

    Raises:
        BadArguments: The arguments do not fit the function; nothing was recorded.
        Unavailable: Too many jobs wait, or the process shuts down; nothing was recorded.
        RuntimeError: No `background_jobs()` is open in this process.
    """
    runner = open_runner()
    submitted = runner.submit(task, json.loads(task.pack(args)), idempotency_key, delay.total_seconds())
    if runner.loop is asyncio.get_running_loop():
        return await submitted
    # A function in a thread has an event loop of its own at most.
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(submitted, runner.loop))
