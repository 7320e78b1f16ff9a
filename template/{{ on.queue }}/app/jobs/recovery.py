"""Recovery: send again what a crash left behind, and start what is due.

Every worker process runs this loop; the steps are atomic in the job store, so any number of
them does each thing once. It looks at what is due every second, at lost messages every few.
"""

import logging
import random
import threading
from time import monotonic, sleep

from app.jobs.broker import broker_depth, ring_all
from app.jobs.declare import Task, declared_tasks, find_task, lanes
from app.jobs.errors import Unavailable, UnknownTask
from app.jobs.record import new_job_id
from app.jobs.run import bury
from app.jobs.store import job_store

logger = logging.getLogger(__name__)

_TICK_S = 1.0
_UNHEARD_EVERY_S = 5.0
_LONGEST_ROUND_S = 1.0

# Held during a round: between a record that moved and its message, this process must not end.
_round = threading.Lock()


class Recovery:
    """The loop that makes the record the truth and the message a doorbell."""

    def __init__(self) -> None:
        # Impatient: a round that waits out an outage holds up the others, and the end of the process.
        self._store = job_store()
        self._unheard_at = 0.0
        self._slots: dict[str, int] = {}
        self._thread = threading.Thread(target=self._loop, name="recovery", daemon=True)

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def look(self) -> None:
        """Do one round.

        Raises:
            Unavailable: The broker or the job store does not answer; the next round goes on.
        """
        due = self._store.due()
        # First what no later round would do, last what a full job store refuses.
        for job_id in due.dead:
            job = self._store.get(job_id)
            if job is not None:
                bury(job)
        if due.ring:
            _ring(due.ring)
            logger.info("jobs rung for", extra={"count": len(due.ring)})
        if monotonic() >= self._unheard_at:
            self._unheard_at = monotonic() + _UNHEARD_EVERY_S
            self._ring_unheard()
        for task in declared_tasks():
            if task.every is not None:
                self._start_period(task, int(due.now_s // task.every.total_seconds()))

    def _loop(self) -> None:
        while True:
            try:
                with _round:
                    self.look()
            except Unavailable as error:
                logger.warning("recovery waits", extra={"error": str(error)})
            except Exception:  # the loop outlives any single failure: nothing else brings jobs back
                logger.exception("recovery failed once")
            sleep(_TICK_S * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the workers

    def _ring_unheard(self) -> None:
        unheard = self._store.unheard(broker_depth())
        if unheard:
            _ring(unheard)
            logger.warning("messages were lost, rung again", extra={"count": len(unheard)})

    def _start_period(self, task: Task[..., object], slot: int) -> None:
        """Enqueue a periodic task once per period, however many workers look."""
        if self._slots.get(task.name) == slot:
            return
        key = f"period-{slot}"
        job, new = self._store.add(new_job_id(), task.name, task.queue, "[]", key, task.max_retries, 0)
        self._slots[task.name] = slot
        if new:
            _ring([(job.id, job.task)])


def end_rounds() -> None:
    """Begin no more rounds in this process, and wait for the one that runs: it is about to end."""
    _round.acquire(timeout=_LONGEST_ROUND_S)


def _ring(jobs: list[tuple[str, str]]) -> None:
    """Ring for each job (id, task) in the lane that its task has now; it may have moved since."""
    ring_all([(job_id, _lane(task)) for job_id, task in jobs])


def _lane(task: str) -> str:
    try:
        return find_task(task).queue
    except UnknownTask:
        return lanes()[-1]  # whoever hears of it there makes it a dead letter
