"""The worker: `python -m app.worker` keeps a set of processes that run jobs.

A process that dies or was ended at a hard time limit is replaced by a new one, and one that is
worn out as soon as it takes no more jobs; the others go on. SIGTERM lets running jobs finish for
`DRAIN_S`, then hands them back.
"""

import logging
import multiprocessing
import signal
from ctypes import c_byte
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from time import monotonic, sleep

from app.observability import configure_logging
from app.settings import get_settings
from app.stage import Stage

logger = logging.getLogger(__name__)

# New processes, not forks: no lock, connection or thread of the parent comes along.
_processes = multiprocessing.get_context("spawn")
_PAUSE_S = 5.0
_LOOK_S = 0.5


class Supervisor:
    """Keeps `WORKER_PROCESSES` processes running until it is told to stop."""

    def __init__(self) -> None:
        self._settings = get_settings()
        self._slots: dict[int, BaseProcess] = {}
        self._stages: dict[int, c_byte] = {}
        # Replaced already, and busy with its last jobs. One at a time: memory has to have a bound.
        self._leaving: BaseProcess | None = None
        # A plain flag: a handler that sets an event can meet the lock its own thread holds.
        self._stopping = False

    def run(self) -> None:
        """Start the processes, replace those that end or leave, return when all are stopped."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._be_told)
        for slot in range(self._settings.worker_processes):
            heartbeat_file(slot).unlink(missing_ok=True)
            self._start(slot)
        while not self._stopping:
            wait([process.sentinel for process in self._all()], timeout=_LOOK_S)
            self._look()
        self._stop()

    def _be_told(self, *_: object) -> None:
        self._stopping = True

    def _start(self, slot: int, pause_s: float = 0) -> None:
        stage = RawValue(c_byte, Stage.STARTING)
        process = _processes.Process(target=work, args=(slot, stage, pause_s), name=str(slot))
        process.start()
        self._slots[slot], self._stages[slot] = process, stage

    def _all(self) -> list[BaseProcess]:
        return [*self._slots.values()] + ([self._leaving] if self._leaving else [])

    def _look(self) -> None:
        if self._leaving and self._leaving.exitcode is not None:
            _note_end(self._leaving)
            self._leaving = None
        for slot, process in list(self._slots.items()):
            stage = self._stages[slot].value
            if process.exitcode is not None:
                _note_end(process)
                # One that could not even start would end again: do not spin.
                self._start(slot, _PAUSE_S if stage == Stage.STARTING else 0)
            elif stage == Stage.LEAVING and self._leaving is None:
                self._leaving = process
                self._start(slot)

    def _stop(self) -> None:
        logger.info("worker stops, running jobs may finish", extra={"drain_s": self._settings.drain_s})
        for process in self._all():
            process.terminate()
        deadline = monotonic() + self._settings.drain_s + 4
        for process in self._all():
            process.join(max(deadline - monotonic(), 0))
            if process.exitcode is None:
                process.kill()


def _note_end(process: BaseProcess) -> None:
    level = logging.INFO if process.exitcode == 0 else logging.ERROR
    logger.log(level, "worker process ended", extra={"slot": process.name, "exit_code": process.exitcode})


def work(slot: int, stage: c_byte, pause_s: float) -> None:
    """Be one worker process, after a pause."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the supervisor, which says TERM
    sleep(pause_s)
    # Here and not above: the supervisor runs no job, and is ready for a signal sooner without.
    from app.jobs.worker_process import WorkerProcess

    WorkerProcess(heartbeat_file(slot), stage).run()


def heartbeat_file(slot: int) -> Path:
    """Return the file that the process in this slot touches while it can take jobs."""
    return get_settings().heartbeat_dir / str(slot)


def main() -> None:
    """Run the worker until SIGTERM or Ctrl-C."""
    configure_logging()
    Supervisor().run()


if __name__ == "__main__":
    main()
