"""One run of a job, and the thread that a blocking function runs in."""

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any

from app.jobs.declare import Task
from app.jobs.errors import JobInterrupted
from app.jobs.record import Job

current_run: ContextVar["Run"] = ContextVar("current_run")


@dataclass(eq=False, slots=True)
class Run:
    """A job while it runs in this process."""

    job: Job
    task: Task[..., Any]
    soft_limit_s: float
    progress: float | None = None
    stop: Callable[[type[JobInterrupted]], object] | None = None
    interrupted: type[JobInterrupted] | None = None

    def interrupt(self, reason: type[JobInterrupted]) -> None:
        """Raise `reason` inside the task, unless it was interrupted before."""
        if self.interrupted is None:
            self.interrupted = reason
            if self.stop is not None:
                self.stop(reason)


def contained(error: BaseException) -> Exception:
    """Return what the job failed with as an event loop can bear it: `sys.exit()` in a task would end the API."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class JobThread:
    """A call in a thread of its own.

    The threads of the pool that serves synchronous endpoints stay free, and one that never
    comes back does not hold the process at its end.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self.outcome: Future[Any] = Future()
        self._over = False
        self._lock = threading.Lock()
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._call, call), name="job", daemon=True)
        self._thread.start()

    def interrupt(self, reason: type[JobInterrupted]) -> None:
        """Raise `reason` in the thread, as soon as it executes Python code again."""
        with self._lock:
            if not self._over and self._thread.ident is not None:
                thread_id = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(reason))

    def _call(self, call: Callable[[], Any]) -> None:
        try:
            try:
                result = call()
            finally:
                with self._lock:  # from here on, no interruption can hit what follows
                    self._over = True
        except BaseException as error:  # noqa: BLE001 - whoever waits for the outcome must hear of it
            self.outcome.set_exception(contained(error))
        else:
            self.outcome.set_result(result)
