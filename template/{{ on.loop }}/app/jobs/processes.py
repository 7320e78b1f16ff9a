"""Processes for work that computes: the event loop keeps its time, and every core is used.

Each process runs one job at a time and has an executor of its own, so a job that crashes or
has to be killed takes no other along. Progress reported in such a process is not passed on.
"""

import asyncio
import json
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import wait
from typing import Any

from pydantic import Field

from app.jobs.declare import Task, find_task, load_tasks
from app.jobs.errors import JobCancelled, JobInterrupted, TimeLimitExceeded
from app.jobs.memory import resident_mb
from app.jobs.record import Job
from app.jobs.run import Run, current_run
from app.observability import configure_logging, job_id_var
from app.settings import Settings, get_settings

# New processes, not forks: no lock, connection or thread of the parent comes along.
_context = multiprocessing.get_context("spawn")
_SIGNALS = {signal.SIGUSR1: TimeLimitExceeded, signal.SIGUSR2: JobCancelled}


class PoolSettings(Settings):
    """The settings of this module, beside those of the whole service."""

    cpu_processes: int = Field(default=1, ge=1)


class ProcessDied(JobInterrupted):
    """Raised when the process of a job has died under it."""

    reason = "worker_lost"


class CpuProcess:
    """A process that runs one job at a time."""

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(1, mp_context=_context, initializer=_prepare)
        self._pid = 0
        self._jobs = 0
        self._busy = False
        self._worn = False
        self._killer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether the process lives, is idle and has not grown too large."""
        return bool(self._pid) and not self._busy and not self._worn

    async def ready(self) -> None:
        """Start the process, or make sure that it still lives.

        Raises:
            ProcessDied: It does not.
        """
        self._pid = await self._answer(self._executor.submit(os.getpid))

    async def call(self, job: Job) -> Any:
        """Run the job's function there and return its result.

        Raises:
            ProcessDied: The process ended before the function did.
        """
        self._jobs += 1
        self._busy = True  # for ever, when nobody waits for the answer any more
        try:
            packed, used_mb = await self._answer(self._executor.submit(_run, job))
        except JobInterrupted:
            self._worn = True
            raise
        except Exception:
            self._judge(0)
            raise
        self._judge(used_mb)
        return json.loads(packed)

    def interrupt(self, reason: type[JobInterrupted], grace_s: float) -> None:
        """Raise `reason` inside the task; kill the process if that does not end it within `grace_s`."""
        if self._busy:
            self._signal(next((number for number, kind in _SIGNALS.items() if kind is reason), signal.SIGKILL))
            self._killer = asyncio.get_running_loop().call_later(grace_s, self._signal, signal.SIGKILL)

    async def close(self) -> None:
        """End the process, whatever it does."""
        self._signal(signal.SIGKILL)
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _judge(self, used_mb: float) -> None:
        settings = get_settings()
        self._busy = False
        self._worn = 0 < settings.recycle_after_jobs <= self._jobs or 0 < settings.memory_limit_mb < used_mb

    def _signal(self, number: signal.Signals) -> None:
        # It may be gone already; 0 would mean this very process and its siblings.
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    async def _answer(self, future: Future[Any]) -> Any:
        try:
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            self._pid = 0
            raise ProcessDied("The process of the job died") from error
        finally:
            if self._killer is not None:
                self._killer.cancel()


class CpuPool:
    """As many processes as may compute at once; they start when they are needed first."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(PoolSettings().cpu_processes)
        self._idle: list[CpuProcess] = []

    @asynccontextmanager
    async def process(self) -> AsyncIterator[CpuProcess]:
        """Hold a process of one's own, waiting for it if need be."""
        async with self._room:
            process = await self._take()
            try:
                yield process
            finally:
                if process.usable:
                    self._idle.append(process)
                else:
                    await process.close()

    async def close(self) -> None:
        """End the idle processes."""
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> CpuProcess:
        if self._idle:
            process = self._idle.pop()
            with suppress(ProcessDied):  # it died while nobody needed it
                await process.ready()
                return process
        process = CpuProcess()
        await process.ready()
        return process


def _prepare() -> None:
    """Make a new process ready: it ends with its parent, and by nothing else."""
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C or a stop reaches the whole group; the parent decides
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    threading.Thread(target=_end_with_parent, name="watch-parent", daemon=True).start()
    load_tasks()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _interrupt(number: int, frame: object) -> None:
    # Between two jobs it would break the process instead of a task.
    if current_run.get(None) is not None:
        raise _SIGNALS[signal.Signals(number)]


def _run(job: Job) -> tuple[str, float]:
    """Run one job; return its result as JSON, and how much memory the process uses now."""
    job_id_var.set(job.id)
    task = find_task(job.task)
    current = current_run.set(Run(job, task, 0))
    try:
        result = _call(task, job)
    except Exception as error:
        _check_travels(error)
        raise
    finally:
        current_run.reset(current)
    return json.dumps(result, allow_nan=False), resident_mb()


def _call(task: Task[..., Any], job: Job) -> Any:
    result = task.function(*job.args)
    return asyncio.run(result) if task.is_async else result


def _check_travels(error: Exception) -> None:
    """Raise what can be said of the error when it cannot be pickled: it would break the executor."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever the error's own class raises here
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
