"""The worker: `python -m app.worker` keeps a set of processes that run jobs.

A process that dies, is worn out or was ended at a hard time limit is replaced by a new one;
the others go on. SIGTERM lets running jobs finish for `DRAIN_S`, then hands them back.
"""

import logging
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep

from app.jobs.broker import serve
from app.jobs.declare import load_tasks
from app.jobs.keeper import keeper
from app.jobs.memory import resident_mb
from app.jobs.recovery import Recovery
from app.jobs.run import stopping
from app.observability import configure_logging
from app.settings import get_settings

logger = logging.getLogger(__name__)

# New processes, not forks: no lock, connection or thread of the parent comes along.
_processes = multiprocessing.get_context("spawn")
_SHORT_LIFE_S = 5.0
_LOOK_S = 0.5
_LONGEST_S = 7 * 24 * 3600.0


class Supervisor:
    """Keeps `WORKER_PROCESSES` processes running until it is told to stop."""

    def __init__(self) -> None:
        self._settings = get_settings()
        self._slots: dict[int, BaseProcess] = {}
        self._started: dict[int, float] = {}
        # Plain flags, here and below: a handler that sets an event can meet the lock its own thread holds.
        self._stopping = False

    def run(self) -> None:
        """Start the processes, replace those that end, return when all are stopped."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._be_told)
        for slot in range(self._settings.worker_processes):
            heartbeat_file(slot).unlink(missing_ok=True)
            self._start(slot)
        while not self._stopping:
            wait([process.sentinel for process in self._slots.values()], timeout=_LOOK_S)
            for slot, process in self._slots.items():
                if process.exitcode is not None and not self._stopping:
                    self._replace(slot, process.exitcode)
        self._stop()

    def _be_told(self, *_: object) -> None:
        self._stopping = True

    def _start(self, slot: int) -> None:
        process = _processes.Process(target=work, args=(slot,), name=f"worker-{slot}")
        process.start()
        self._slots[slot] = process
        self._started[slot] = monotonic()

    def _replace(self, slot: int, exit_code: int) -> None:
        level = logging.INFO if exit_code == 0 else logging.ERROR
        logger.log(level, "worker process ended", extra={"slot": slot, "exit_code": exit_code})
        # One that ends right after its start would end again: do not spin.
        while monotonic() - self._started[slot] < _SHORT_LIFE_S and not self._stopping:
            sleep(_LOOK_S)
        if not self._stopping:
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


class Leaver(threading.Thread):
    """Sees in time that this process has to leave: told to, without its supervisor, or worn out."""

    def __init__(self) -> None:
        super().__init__(name="leaver", daemon=True)
        self._settings = get_settings()
        self._parent = os.getppid()
        self.told = False

    def run(self) -> None:
        """Stop taking jobs when it is time; a worn process waits for its own, a told one not for long."""
        while not (self._must_leave() or self._is_worn()):
            sleep(_LOOK_S)
        stopping.set()
        while not self._must_leave():
            sleep(_LOOK_S)
        sleep(self._settings.drain_s + 1)
        leave()

    def _must_leave(self) -> bool:
        return self.told or os.getppid() != self._parent

    def _is_worn(self) -> bool:
        jobs, used_mb = keeper().jobs_done, resident_mb()
        worn = 0 < self._settings.recycle_after_jobs <= jobs or 0 < self._settings.memory_limit_mb < used_mb
        if worn:
            logger.info("worker process is worn out", extra={"jobs": jobs, "memory_mb": round(used_mb)})
        return worn

    def patience_s(self) -> float:
        """Return how long running jobs may take to finish; their hard limits bound a worn process."""
        return self._settings.drain_s if self._must_leave() else _LONGEST_S


def work(slot: int) -> None:
    """Be one worker process: run jobs until SIGTERM, then hand back what cannot finish."""
    configure_logging()
    leaver = Leaver()

    def be_told(*_: object) -> None:
        leaver.told = True

    signal.signal(signal.SIGTERM, be_told)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the supervisor, which says TERM
    load_tasks()
    Recovery().start()
    keeper().show_life(heartbeat_file(slot))
    leaver.start()
    logger.info("worker process ready", extra={"slot": slot})
    serve(stopping, leaver.patience_s)
    leave()


def leave() -> None:
    """Hand back what still runs and end the process; threads inside a job must not keep it."""
    keeper().hand_back()
    logging.shutdown()
    os._exit(0)


def heartbeat_file(slot: int) -> Path:
    """Return the file that the process in this slot touches while it can take jobs."""
    return get_settings().heartbeat_dir / str(slot)


def main() -> None:
    """Run the worker until SIGTERM or Ctrl-C."""
    configure_logging()
    Supervisor().run()


if __name__ == "__main__":
    main()
