"""Processes for work that computes: the event loop keeps its time, and every core is used.

Each process runs one job at a time, so a job that crashes or has to be killed takes no other
along. Progress reported in such a process is not passed on.
"""

import asyncio
import json
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from pydantic import Field

from app.jobs.declare import find_task, load_tasks
from app.jobs.errors import JobCancelled, JobInterrupted, TimeLimitExceeded
from app.jobs.memory import resident_mb
from app.jobs.record import Job
from app.jobs.run import Run, current_run
from app.observability import configure_logging, job_id_var
from app.settings import Settings, get_settings

# New processes, not forks: no lock, connection or thread of the parent comes along.
_context = multiprocessing.get_context("spawn")
_NICENESS = 10
_STOPS = {signal.SIGINT, signal.SIGTERM}
_SIGNALS = {signal.SIGUSR1: TimeLimitExceeded, signal.SIGUSR2: JobCancelled}


class PoolSettings(Settings):
    """The settings of this module, beside those of the whole service."""

    cpu_processes: int = Field(default=1, ge=1)


class ProcessDied(JobInterrupted):
    """Raised when the process of a job has died under it."""

    reason = "worker_lost"


class CpuProcess:
    """A process that runs one job at a time; `threads` wait for its answers."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs,))
        # A stop of the whole group must not end it before it can say that it ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        self._process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if self._process.pid:
            # What computes may wait; the event loop, its requests and leases may not.
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)
        theirs.close()  # so that its death is the end of the pipe
        self._jobs = 0
        self._worn = False
        self._ready = False

    @property
    def usable(self) -> bool:
        """Whether the process can take a job: it has started, lives, and is not to be replaced."""
        return self._ready and not self._worn and self._process.is_alive()

    async def ready(self) -> None:
        """Wait until the process has started.

        Raises:
            ProcessDied: It could not.
        """
        if not self._ready:
            self._ready = await self._wait(self._pipe.recv)

    async def call(self, job: Job) -> Any:
        """Run the job's function there and return its result.

        Raises:
            ProcessDied: The process ended before the function did.
        """
        settings = get_settings()
        self._jobs += 1
        self._ready = False  # for ever, when nobody waits for the answer any more
        outcome, used_mb = await self._wait(self._ask, job)
        self._ready = True
        self._worn |= 0 < settings.recycle_after_jobs <= self._jobs or 0 < settings.memory_limit_mb < used_mb
        if isinstance(outcome, Exception):
            raise outcome
        return json.loads(outcome)

    def interrupt(self, reason: type[JobInterrupted], grace_s: float) -> None:
        """Raise `reason` inside the task; kill the process if that does not end it within `grace_s`."""
        self._worn = True  # what strikes late must not hit another job
        number = next((number for number, kind in _SIGNALS.items() if kind is reason), signal.SIGKILL)
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, number)
        asyncio.get_running_loop().call_later(grace_s, self._process.kill)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()

    def _ask(self, job: Job) -> Any:
        self._pipe.send(job)
        return self._pipe.recv()

    async def _wait(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        except (EOFError, OSError) as error:
            raise ProcessDied("The process of the job died") from error


class CpuPool:
    """As many processes as may compute at once; they start when they are needed first."""

    def __init__(self) -> None:
        processes = PoolSettings().cpu_processes
        self._room = asyncio.Semaphore(processes)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="cpu")
        self._idle: set[CpuProcess] = set()
        self._busy: set[CpuProcess] = set()

    @asynccontextmanager
    async def process(self) -> AsyncIterator[CpuProcess]:
        """Hold a process of one's own, waiting for it if need be."""
        async with self._room:
            self._idle = {process for process in self._idle if process.usable}  # it may have died since
            process = self._idle.pop() if self._idle else CpuProcess(self._threads)
            self._busy.add(process)
            try:
                await process.ready()
                yield process
            finally:
                self._busy.discard(process)
                if process.usable:
                    self._idle.add(process)
                else:
                    process.close()

    def close(self) -> None:
        """End all processes."""
        for process in self._idle | self._busy:
            process.close()
        self._idle.clear()


def _serve(pipe: Connection) -> None:
    """Answer each job with its outcome, until the parent ends this process or has gone."""
    configure_logging()
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C or a stop reaches the whole group; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    threading.Thread(target=_end_with_parent, name="watch-parent", daemon=True).start()
    load_tasks()
    with suppress(EOFError, OSError):
        pipe.send(True)
        while True:
            job = pipe.recv()
            pipe.send((_outcome(job), resident_mb()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _interrupt(number: int, frame: object) -> None:
    # Between two jobs it would break the process instead of a task.
    if current_run.get(None) is not None:
        raise _SIGNALS[signal.Signals(number)]


def _outcome(job: Job) -> bytes | Exception:
    """Run one job; return its result as JSON, or what it raised."""
    job_id_var.set(job.id)
    try:
        task = find_task(job.task)
        current = current_run.set(Run(job, task, 0))
        try:
            result = task.function(*job.args)
            result = asyncio.run(result) if task.is_async else result
        finally:
            current_run.reset(current)
        # Neither NaN nor half a character can be shown to anybody later.
        return json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    except BaseException as error:  # noqa: BLE001 - also sys.exit() ends the job only
        return _as_it_travels(error)


def _as_it_travels(error: BaseException) -> Exception:
    """Return the error with its traceback, or what can be said of it when it cannot be pickled or is no `Exception`."""
    note = "".join(traceback.format_exception(error))
    with suppress(Exception):  # whatever the error's own class raises here
        error.add_note(note)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        if isinstance(copy, Exception):
            return copy
    said = RuntimeError(f"{type(error).__name__}: {error}")
    said.add_note(note)
    return said
