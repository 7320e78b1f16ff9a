"""Messages travel with Huey; this is the only module that knows it.

A message carries a job id and nothing else. Huey forgets a message as soon as a worker has
taken it, so what a crash interrupts comes back through the lease of its job record.
"""

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from huey import Huey
from huey.consumer import Consumer, Worker

from app.jobs import transport
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.jobs.heartbeat import beat
from app.jobs.pool import ThreadSettings
from app.settings import get_settings

R = TypeVar("R")

# Workers take the highest priority first.
_PRIORITY = {"urgent": 10}


@cache
def _huey() -> Huey:
    huey = transport.connect(get_settings())
    # Huey's own log would repeat every message; the job's log says what matters.
    logging.getLogger("huey").setLevel(logging.WARNING)
    return huey


@cache
def _doorbell() -> Any:
    return _huey().task(name="run_job", retries=0)(run_job)


def ring(job_id: str, lane: str) -> None:
    """Send the message that a job waits.

    Raises:
        Unavailable: The broker does not take it.
    """
    _guard(lambda: _huey().enqueue(_doorbell().s(job_id, priority=_PRIORITY.get(lane, 0))))


def ring_all(jobs: list[tuple[str, str]]) -> None:
    """Send the message for each job id and lane."""
    for job_id, lane in jobs:
        ring(job_id, lane)


def broker_depth() -> int:
    """Return how many messages of this service wait, in all lanes together."""
    return _guard(lambda: int(_huey().pending_count()))


def ping_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    broker_depth()


def _guard(call: Callable[[], R]) -> R:
    try:
        return call()
    except transport.ERRORS as error:
        raise Unavailable(f"The broker does not answer: {error}") from error


class _BeatingWorker(Worker):
    """A worker that shows each round that it still takes messages."""

    def loop(self, now: Any = None) -> None:
        beat(threading.current_thread().name)
        super().loop(now)


class _Consumer(Consumer):
    worker_class = _BeatingWorker

    def _set_signal_handlers(self) -> None:
        """Leave the signals to the process that runs the consumer."""


def serve(stop: threading.Event, patience_s: Callable[[], float]) -> None:
    """Run jobs until `stop` is set, then let what runs finish for `patience_s()`."""
    _doorbell()
    consumer = _Consumer(
        _huey(),
        workers=ThreadSettings().worker_threads,
        worker_type="thread",
        periodic=False,  # schedules live in the job store: several workers would run each slot twice
        initial_delay=0.05,
        max_delay=0.5,  # Huey's default lets an idle worker sleep for 10 s
    )
    consumer.start()
    while not stop.wait(1):
        consumer.check_worker_health()
    consumer.shutdown_timeout = patience_s()
    consumer.stop(graceful=True)
