"""The worker: `python -m app.worker` keeps a set of processes that run jobs.

A process that dies, is worn out or was ended at a hard time limit is replaced by a new one;
the others go on. SIGTERM lets running jobs finish for `DRAIN_S`, then hands them back.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import threading
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic

from app.jobs.broker import serve
from app.jobs.declare import load_tasks
from app.jobs.keeper import keeper
from app.jobs.memory import resident_mb
from app.jobs.recovery import Recovery
from app.observability import configure_logging
from app.settings import get_settings

logger = logging.getLogger(__name__)

# New processes, not forks: no lock, connection or thread of the parent comes along.
_processes = multiprocessing.get_context("spawn")
_SHORT_LIFE_S = 5.0


class Supervisor:
    """Keeps `WORKER_PROCESSES` processes running until it is told to stop."""

    def __init__(self) -> None:
        self._settings = get_settings()
        self._slots: dict[int, BaseProcess] = {}
        self._started: dict[int, float] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Start the processes, replace those that end, return when all are stopped."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self._stopping.set())
        shutil.rmtree(self._settings.heartbeat_dir, ignore_errors=True)
        for slot in range(self._settings.worker_processes):
            self._start(slot)
        while not self._stopping.is_set():
            wait([process.sentinel for process in self._slots.values()], timeout=1)
            self._replace_dead()
        self._stop()

    def _start(self, slot: int) -> None:
        process = _processes.Process(target=work, args=(slot,), name=f"worker-{slot}")
        process.start()
        self._slots[slot] = process
        self._started[slot] = monotonic()

    def _replace_dead(self) -> None:
        for slot, process in self._slots.items():
            if process.exitcode is None or self._stopping.is_set():
                continue
            level = logging.INFO if process.exitcode == 0 else logging.ERROR
            logger.log(level, "worker process ended", extra={"slot": slot, "exit_code": process.exitcode})
            if monotonic() - self._started[slot] < _SHORT_LIFE_S:
                # Something is broken for good: do not spin.
                self._stopping.wait(_SHORT_LIFE_S)
            self._start(slot)

    def _stop(self) -> None:
        logger.info("worker stops, running jobs may finish", extra={"drain_s": self._settings.drain_s})
        for process in self._slots.values():
            process.terminate()
        deadline = monotonic() + self._settings.drain_s + 4
        for process in self._slots.values():
            process.join(max(deadline - monotonic(), 0))
            if process.exitcode is None:
                process.kill()


def work(slot: int) -> None:
    """Be one worker process: run jobs until SIGTERM, then hand back what cannot finish."""
    configure_logging()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the supervisor, which says TERM
    load_tasks()
    recovery = Recovery()
    recovery.start()
    keeper().show_life(get_settings().heartbeat_dir / f"{slot}")
    threading.Thread(target=_watch_self, args=(os.getppid(),), name="watch-self", daemon=True).start()
    logger.info("worker process ready", extra={"slot": slot})
    serve(stop)
    recovery.stop()
    keeper().hand_back()
    logging.shutdown()
    # Threads that still run a job must not keep the process: their jobs are handed back.
    os._exit(0)


def _watch_self(parent: int) -> None:
    """Stop this process when it is worn out, or when its supervisor is gone."""
    settings = get_settings()
    while os.getppid() == parent:
        done, used_mb = keeper().jobs_done, resident_mb()
        if 0 < settings.recycle_after_jobs <= done or 0 < settings.memory_limit_mb < used_mb:
            logger.info("worker process is worn out", extra={"jobs": done, "memory_mb": round(used_mb)})
            break
        threading.Event().wait(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the worker until SIGTERM or Ctrl-C."""
    configure_logging()
    Supervisor().run()


if __name__ == "__main__":
    main()
