"""One process of the worker: it runs jobs until it has to leave."""

import logging
import os
import signal
import threading
from ctypes import c_byte
from pathlib import Path
from time import sleep

from app.jobs.broker import serve
from app.jobs.declare import load_tasks
from app.jobs.heartbeat import touch
from app.jobs.keeper import keeper
from app.jobs.recovery import Recovery, end_rounds
from app.jobs.run import stopping
from app.observability import configure_logging
from app.settings import get_settings
from app.stage import Stage

logger = logging.getLogger(__name__)

_LOOK_S = 0.5
_LONGEST_S = 7 * 24 * 3600.0


class WorkerProcess:
    """Runs jobs until it is told to stop, has lost its supervisor, or is worn out."""

    def __init__(self, heartbeat: Path, stage: c_byte) -> None:
        self._heartbeat = heartbeat
        self._stage = stage
        self._drain_s = get_settings().drain_s
        self._parent = os.getppid()
        # A plain flag: a handler that sets an event can meet the lock its own thread holds.
        self._told = False

    def run(self) -> None:
        """Run jobs; a worn process waits for its last ones, a told one hands back what cannot finish."""
        configure_logging()
        signal.signal(signal.SIGTERM, self._be_told)
        load_tasks()
        Recovery().start()
        keeper().show_life(self._heartbeat)
        threading.Thread(target=self._leave_in_time, name="leave", daemon=True).start()
        self._stage.value = Stage.READY
        logger.info("worker process ready", extra={"slot": self._heartbeat.name})
        serve(stopping, self._patience_s)
        leave()

    def _be_told(self, *_: object) -> None:
        self._told = True

    def _leave_in_time(self) -> None:
        while not (self._must_leave() or stopping.wait(_LOOK_S)):
            pass
        stopping.set()
        self._stage.value = Stage.LEAVING
        while not self._must_leave():
            touch(self._heartbeat)  # its replacement may have to wait for another's
            sleep(_LOOK_S)
        sleep(self._drain_s + 1)
        leave()

    def _must_leave(self) -> bool:
        return self._told or os.getppid() != self._parent

    def _patience_s(self) -> float:
        """Return how long running jobs may take to finish; their hard limits bound a worn process."""
        return self._drain_s if self._must_leave() else _LONGEST_S


def leave() -> None:
    """Hand back what still runs and end the process; threads inside a job must not keep it."""
    try:
        end_rounds()
        keeper().hand_back()
        logging.shutdown()
    finally:
        os._exit(0)
