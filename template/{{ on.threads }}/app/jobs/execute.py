"""Run a job in the calling thread: what the worker does with a message."""

import asyncio
from contextvars import copy_context
from typing import Any

from app.jobs.keeper import keeper
from app.jobs.run import Run, current_run, fail, succeed


def run_job(job_id: str) -> None:
    """Run one job from start to end; does nothing when there is nothing to run."""
    copy_context().run(_run_job, job_id)  # what the job knows of itself ends with it


def _run_job(job_id: str) -> None:
    run = keeper().take(job_id)
    if run is None:
        return
    current_run.set(run)
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
    if run.task.is_async:
        return asyncio.run(_await(run))
    return run.task.function(*run.job.args)


async def _await(run: Run) -> Any:
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    if running is not None:
        run.stop = lambda: loop.call_soon_threadsafe(running.cancel)
    return await run.task.function(*run.job.args)
