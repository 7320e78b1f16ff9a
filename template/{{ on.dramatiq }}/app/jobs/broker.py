"""Messages travel with Dramatiq; only this module and its helpers `take` and `transport` know it.

A message carries a job id and nothing else. Retries, delays and limits live in the job's record.
"""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import dramatiq
from dramatiq.worker import Worker

from app.jobs import transport
from app.jobs.declare import lanes
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.jobs.pool import ThreadSettings
from app.jobs.take import ACTOR, QUEUE
from app.jobs.threads import Once
from app.settings import get_settings

R = TypeVar("R")

logger = logging.getLogger(__name__)


@Once
def _broker() -> transport.JobBroker:
    # Dramatiq's own log would repeat every start and stop; what it warns of is said.
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    return transport.JobBroker(get_settings())


def ring(job_id: str, lane: str) -> None:
    """Send the message that a job waits.

    The lane of a task that was moved or removed has no worker any more: the last one takes its jobs.

    Raises:
        Unavailable: The broker does not take it.
    """
    taken = lane if lane in lanes() else lanes()[-1]
    message: dramatiq.Message[None] = dramatiq.Message(taken, ACTOR, (job_id,), {}, {})
    _guard(lambda: _broker().send(message))


def ring_all(jobs: list[tuple[str, str]]) -> None:
    """Send the message for each job id and lane."""
    for job_id, lane in jobs:
        ring(job_id, lane)


def broker_depth() -> int:
    """Return how many messages of this service wait, in all lanes together."""
    return _guard(lambda: _broker().depth())


def ping_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    _guard(lambda: _broker().ping())


def _guard(call: Callable[[], R]) -> R:
    try:
        return call()
    except transport.ERRORS as error:
        raise Unavailable(f"The broker does not answer: {error!r}") from error


def serve(stop: threading.Event, patience_s: Callable[[], float]) -> None:
    """Run jobs until `stop` is set, then let what runs finish for `patience_s()`."""
    broker = _broker()
    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(run_job)
    broker.delay_queues.clear()  # delays live in the job store: nothing to listen for
    worker = Worker(broker, queues={QUEUE}, worker_threads=ThreadSettings().worker_threads)
    worker.start()
    takers = list(worker.consumers.values())
    # A limit that strikes just as its job ends can end the thread: a new process has them all again.
    while not stop.wait(1) and all(thread.is_alive() for thread in [*takers, *worker.workers]):
        pass
    stop.set()
    # First no more messages, then no more threads: what was taken gets its thread.
    for taker in takers:
        taker.stop()
        taker.join(2)
        taker.close()
    worker.stop(timeout=int(patience_s() * 1000))
