"""Run a job in the calling thread: what the worker does with a message."""

import asyncio
from typing import Any

from app.jobs.keeper import keeper
from app.jobs.run import Run, begin, current_run, fail, succeed


def run_job(job_id: str) -> None:
    """Run one job from start to end; does nothing when there is nothing to run."""
    run = begin(job_id)
    if run is None:
        return
    # The lease is kept until the outcome is recorded, so nobody starts the job meanwhile.
    with keeper().watch(run):
        try:
            try:
                result = _call(run)
            finally:
                run.close()
        except BaseException as error:  # noqa: BLE001 - what ends the worker must reach the record too
            fail(run, error)
        else:
            succeed(run, result)


def _call(run: Run) -> Any:
    current_run.set(run)
    if run.task.is_async:
        return asyncio.run(_await(run))
    return run.task.function(*run.job.args)


async def _await(run: Run) -> Any:
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    if running is not None:
        run.stop = lambda: loop.call_soon_threadsafe(running.cancel)
    return await run.task.function(*run.job.args)
