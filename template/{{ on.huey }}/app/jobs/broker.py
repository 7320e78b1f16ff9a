"""Messages travel with Huey; this is the only module that knows it.

A message carries a job id and nothing else. Huey forgets a message as soon as a worker has
taken it, so what a crash interrupts comes back through the lease of its job record.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from huey import Huey
from huey.consumer import Consumer, Worker
from huey.registry import Message
from huey.serializer import Serializer

from app.jobs import transport
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.jobs.heartbeat import beat
from app.jobs.pool import ThreadSettings, may_take
from app.jobs.threads import Once
from app.settings import get_settings

R = TypeVar("R")

_NAME = f"{run_job.__module__}.run_job"
# Workers take the highest priority first.
_PRIORITY = {"urgent": 10}


class _JobIds(Serializer):
    """Writes a message as the job id in plain text: whatever else lies there is no job, and no code that runs."""

    def _serialize(self, data: Message) -> bytes:
        job_id: str = data.args[0]
        return job_id.encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(name=_NAME, args=(data.decode(errors="replace"),), kwargs={}, retries=0)


@Once
def _huey() -> Huey:
    huey = transport.connect(get_settings(), _JobIds())
    # Huey's own log would repeat every message; the job's log says what matters.
    logging.getLogger("huey").setLevel(logging.WARNING)
    # Each thread would trace an outage several times a second; recovery says it once.
    for name in ("Worker", "Scheduler"):
        logging.getLogger(f"huey.consumer.{name}").addFilter(_is_no_outage)
    # Huey would ask its storage, for each message, whether it was revoked; the record says more.
    huey.execute = lambda message, now=None: message.execute()
    return huey


def _is_no_outage(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], transport.ERRORS))


@Once
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
    """Raise `Unavailable` when the broker takes no messages."""
    _guard(lambda: transport.assure(_huey()))


def _guard(call: Callable[[], R]) -> R:
    try:
        return call()
    except transport.ERRORS as error:
        raise Unavailable(f"The broker does not answer: {error}") from error


class _BeatingWorker(Worker):
    """A worker that shows each round that it still takes messages, until it may take no more."""

    def loop(self, now: Any = None) -> None:
        beat(threading.current_thread().name)
        if may_take():
            super().loop(now)
        else:
            self.stop_flag.wait()


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
