"""Run a job: coroutines on the worker's event loop, functions in threads, CPU work in processes."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import cache
from time import monotonic
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from app.jobs.errors import JobCancelled
from app.jobs.keeper import keeper
from app.jobs.pool import ThreadSettings
from app.jobs.processes import CpuPool, ProcessDied
from app.jobs.run import Run, current_run, fail, retry_delay_s, succeed
from app.jobs.store import job_store
from app.observability import job_id_var
from app.settings import hard_limit_s

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

# Whose work a task of the event loop does: one that blocks it holds up all other jobs.
_owners: WeakKeyDictionary[asyncio.Task[Any], Run] = WeakKeyDictionary()


async def run_job(job_id: str) -> None:
    """Run one job from start to end; does nothing when there is nothing to run."""
    run = await _in_thread(_begin, job_id)
    if run is None:
        return
    job_id_var.set(job_id)
    current_run.set(run)
    # The lease is kept until the outcome is recorded, so nobody starts the job meanwhile.
    with _within_reach(run), keeper().watch(run):
        try:
            try:
                result = await (_compute(run) if run.task.cpu else run.task.function(*run.job.args))
            finally:
                run.close()
        except ProcessDied as error:
            await _record(_try_again, run, error)
        except BaseException as error:  # noqa: BLE001 - what ends the worker must reach the record too
            await _record(fail, run, error)
        else:
            await _record(succeed, run, result)


def create_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Create a task, as the event loop does, and note the job that did it."""
    task = asyncio.Task(work, loop=loop, **options)
    if run := current_run.get(None):
        _owners[task] = run
    return task


async def close() -> None:
    """End the processes that are kept for the next job."""
    _cpu_pool().close()


def _begin(job_id: str) -> Run | None:
    """Claim the job; run a plain function here and now, and leave any other to the event loop."""
    run = keeper().take(job_id)
    if run is None or run.task.cpu or run.task.is_async:
        return run
    current_run.set(run)
    with keeper().watch(run):
        try:
            try:
                result = run.task.function(*run.job.args)
            finally:
                run.close()
        except BaseException as error:  # noqa: BLE001 - what ends the thread must reach the record too
            fail(run, error)
        else:
            succeed(run, result)
    return None


@contextmanager
def _within_reach(run: Run) -> Iterator[None]:
    """Let the keeper reach the job on the event loop, which is where it runs or waits."""
    loop = asyncio.get_running_loop()
    own: Any = asyncio.current_task()

    def cancel() -> None:
        if not run.over:
            own.cancel()

    def is_held_up() -> bool:
        task = asyncio.current_task(loop)
        owner = _owners.get(task) if task is not None else None
        return owner is not None and owner is not run and not owner.over

    _owners[own] = run
    run.thread = threading.current_thread()
    run.stop = lambda: loop.call_soon_threadsafe(cancel)
    run.held_up = is_held_up
    run.started = monotonic()  # it may have waited for an event loop that was held up
    try:
        yield
    finally:
        del _owners[own]  # it would keep itself alive: `cancel` knows the task


async def _compute(run: Run) -> Any:
    loop, is_held_up = asyncio.get_running_loop(), run.held_up
    run.held_up = lambda: True  # its time does not run before there is a process for it
    async with _cpu_pool().process() as process:
        grace_s = (hard_limit_s(run.soft_limit_s) - run.soft_limit_s) / 2

        def interrupt() -> None:
            if not run.over:  # the process may run the next job already
                process.interrupt(run.interrupted or JobCancelled, grace_s)

        run.stop = lambda: loop.call_soon_threadsafe(interrupt)
        run.started, run.held_up = monotonic(), is_held_up
        return await process.call(run.job)


def _try_again(run: Run, error: ProcessDied) -> None:
    """Count the death of a process as a try, as the death of a worker is."""
    if run.interrupted is None and run.job.attempts <= run.job.max_retries:
        logger.warning("job will be retried", exc_info=error)
        delay_ms = int(retry_delay_s(run.job.attempts) * 1000)
        job_store(patient=True).retry(run.job, delay_ms=delay_ms, error=str(error))
    else:
        fail(run, error)


async def _record(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Record an outcome, to the end: also when the worker stops meanwhile."""
    recording = _in_thread(call, *args, **kwargs)
    while not recording.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([recording])
    recording.result()


def _in_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
    """Begin the call at once: the event loop may be held up by what it does next."""
    context = copy_context()
    return asyncio.get_running_loop().run_in_executor(_threads(), lambda: context.run(call, *args, **kwargs))


@cache
def _threads() -> ThreadPoolExecutor:
    # A job is in one thread at most, so one for each job that may run is enough.
    return ThreadPoolExecutor(ThreadSettings().worker_threads, thread_name_prefix="job")


@cache
def _cpu_pool() -> CpuPool:
    return CpuPool()
