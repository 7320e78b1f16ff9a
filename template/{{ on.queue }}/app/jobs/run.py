"""The steps around one run of a job: claim its record, then record what came of it."""

import ctypes
import logging
import random
import signal
import threading
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from app.jobs.declare import Task, find_task, pack
from app.jobs.errors import BadArguments, JobCancelled, JobInterrupted, UnknownTask
from app.jobs.record import Job, JobState
from app.jobs.store import job_store
from app.observability import job_id_var
from app.settings import get_settings

logger = logging.getLogger(__name__)
current_run: ContextVar["Run"] = ContextVar("current_run")
# Set when this worker process is to stop.
stopping = threading.Event()

# Jobs whose process died under them twice: one of them may be what ends it. They run one at a time,
# because side by side the others would use up their tries with it.
_doubted = threading.Lock()
_DOUBTED_ATTEMPT = 3
_DOUBTED_PAUSE_S = 0.5
_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 60.0
_ERROR_CHARS = 2000


@dataclass(eq=False, slots=True)
class Run:
    """A job while it runs in this process."""

    job: Job
    task: Task[..., Any]
    soft_limit_s: float
    started: float = field(default_factory=monotonic)
    progress: float | None = None
    reported: float | None = None
    thread: threading.Thread = field(default_factory=threading.current_thread)
    stop: Callable[[], object] | None = None
    held_up: Callable[[], bool] | None = None
    # Watched: its limits apply. Before, only its lease is kept.
    begun: bool = False
    interrupted: type[JobInterrupted] | None = None
    over: bool = False
    doubted: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def interrupt(self, reason: type[JobInterrupted]) -> None:
        """Raise `reason` inside the task as soon as it executes Python code again, unless it is over."""
        with self._guard:
            if self.over:
                return
            self.interrupted = reason
            logger.warning("job interrupted", extra={"job_id": self.job.id, "reason": reason.reason})
            if self.stop is None:
                _raise_in(self.thread, reason)
            else:
                with suppress(RuntimeError):  # its event loop has closed: the task is just over
                    self.stop()

    def close(self) -> None:
        """End the run for its keeper: what it raised in the thread comes up here at the latest, and nothing later."""
        with self._guard:
            self.over = True

    def leave(self) -> None:
        """Release the place of a doubted job; not in `close`: an interrupt that comes up there would skip it."""
        if self.doubted:
            _doubted.release()


def begin(job_id: str) -> Run | None:
    """Claim the job; None when there is nothing to run, which is normal for a repeated message."""
    job_id_var.set(job_id)
    outcome, job = job_store(patient=True).claim(job_id)
    if job is None:
        logger.info("message dropped", extra={"outcome": outcome})
        return None
    try:
        task = find_task(job.task)
        task.check(job.args)
    except (UnknownTask, BadArguments) as error:
        reason = "unknown_task" if isinstance(error, UnknownTask) else "bad_arguments"
        give_up(job, error, reason)
        return None
    doubted = job.attempts >= _DOUBTED_ATTEMPT and job.error is None
    if doubted and not _doubted.acquire(blocking=False):
        job_store(patient=True).hand_back(job, delay_ms=int(2000 * _DOUBTED_PAUSE_S))
        return None
    if doubted:
        sleep(_DOUBTED_PAUSE_S)  # the others are back in the queue then
    limit = task.time_limit.total_seconds() if task.time_limit else get_settings().soft_limit_s
    run = Run(job, task, limit, doubted=doubted)
    logger.info("job started", extra={"task": task.name, "attempt": job.attempts})
    return run


def succeed(run: Run, result: Any) -> None:
    """Record the result; a job that lost its lease is left to whoever holds it now."""
    try:
        packed = pack(result)
    except ValueError as error:
        give_up(run.job, error, "bad_result")
        return
    done = None if run.progress is None else 1.0
    if job_store(patient=True).finish(run.job, JobState.SUCCEEDED, result=packed, progress=done):
        logger.info("job succeeded", extra={"task": run.task.name, "seconds": round(monotonic() - run.started, 3)})
    else:
        logger.warning("job finished after its lease was lost; the result is not recorded")


def fail(run: Run, error: BaseException) -> None:
    """Record a failure: cancelled, another try, handed back, or a dead letter."""
    cause = run.interrupted() if run.interrupted else error
    if isinstance(cause, JobCancelled):
        job_store(patient=True).finish(run.job, JobState.CANCELLED, error="Cancelled", reason=cause.reason)
        logger.info("job cancelled while it ran")
    elif isinstance(cause, run.task.retry_on) and run.job.attempts <= run.job.max_retries:
        delay_s = retry_delay_s(run.job.attempts)
        logger.warning("job will be retried", exc_info=error, extra={"delay_s": round(delay_s, 1)})
        job_store(patient=True).retry(run.job, delay_ms=int(delay_s * 1000), error=_text(cause))
    elif isinstance(cause, CancelledError) and stopping.is_set():
        # The process is being stopped under the job: not the job's fault.
        job_store(patient=True).hand_back(run.job)
        logger.warning("job handed back")
    else:
        # Also what is no Exception: a task that calls sys.exit() must not go round for ever.
        give_up(run.job, cause, cause.reason if isinstance(cause, JobInterrupted) else "error")


def retry_delay_s(attempt: int) -> float:
    """Return the pause before the next try: doubling, capped, and spread so that herds disperse."""
    longest: float = min(_RETRY_FIRST_S * 2 ** (attempt - 1), _RETRY_CAP_S)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def bury(job: Job) -> None:
    """Say that a job was given up, and call its hook."""
    logger.error("job is a dead letter", extra={"task": job.task, "reason": job.reason, "error": job.error})
    try:
        hook = find_task(job.task).on_dead_letter
    except UnknownTask:
        return
    if hook is not None:
        try:
            hook(job)
        except Exception:  # the user's hook: whatever it raises must not take the worker down
            logger.exception("on_dead_letter hook failed")


def give_up(job: Job, error: BaseException, reason: str) -> None:
    """Make the job a dead letter, and say so in the log."""
    logger.error("job failed", exc_info=error, extra={"task": job.task, "reason": reason})
    text = _text(error)
    if job_store(patient=True).finish(job, JobState.FAILED, error=text, reason=reason):
        bury(job.model_copy(update={"state": JobState.FAILED, "error": text, "reason": reason}))


def _raise_in(thread: threading.Thread, reason: type[JobInterrupted]) -> None:
    """Leave an exception for the thread to find."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(reason))
    if thread is threading.main_thread():
        # Ignored by default; where the worker listens to it, it wakes a call that sleeps.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGURG)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
