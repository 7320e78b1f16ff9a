"""Messages travel with Celery: this module sends and counts them, `app.worker` takes them.

A message carries a job id and nothing else. It may get lost or come twice: the job record
decides what runs, and the recovery loop rings again for what nobody heard of.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from celery import Celery
from kombu import Connection, Queue

from app.jobs import transport
from app.jobs.declare import lanes
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.settings import get_settings

R = TypeVar("R")


@cache
def celery_app() -> Celery:
    """Return Celery on the broker that `BROKER_URL` names; it connects on first use."""
    settings = get_settings()
    app = Celery(settings.service, broker=settings.broker_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        task_queues=_queues().values(),
        task_default_queue=_queue(lanes()[-1]).name,
        broker_transport_options=transport.OPTIONS
        # Without these a publish waits for ever while the broker is down.
        | {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        broker_connection_timeout=1,
        # One connection for each thread that may ask at once; `app.jobs.threads` has 16.
        broker_pool_limit=16,
        # One try more, at once: a connection that waited in the pool may have died there.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        # The job store keeps the results.
        task_ignore_result=True,
        accept_content=["json"],
    )
    app.task(name="run_job")(run_job)
    return app


@cache
def _queues() -> dict[str, Queue]:
    return {lane: transport.queue(get_settings().service, lane) for lane in lanes()}


def _queue(lane: str) -> Queue:
    # The lane of a task that is gone has no worker any more; another one finds out that it is gone.
    return _queues().get(lane) or _queues()[lanes()[-1]]


def ring(job_id: str, lane: str) -> None:
    """Send the message that a job waits.

    Raises:
        Unavailable: The broker does not take it.
    """
    ring_all([(job_id, lane)])


def ring_all(jobs: Iterable[tuple[str, str]]) -> None:
    """Send the message for each job id and lane.

    Raises:
        Unavailable: The broker does not take one; those before it are sent.
    """

    def send(connection: Connection) -> None:
        with celery_app().amqp.Producer(connection, auto_declare=False) as producer:
            for job_id, lane in jobs:
                celery_app().tasks["run_job"].apply_async(
                    (job_id,), task_id=job_id, queue=_queue(lane), producer=producer, confirm_timeout=1
                )

    _ask(send)


def broker_depth(lane: str) -> int:
    """Return how many messages wait in the lane."""
    return _ask(lambda connection: transport.depth(connection, _queue(lane)))


def ping_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    _ask(transport.ping)


def _ask(question: Callable[[Any], R]) -> R:
    try:
        with celery_app().connection_for_write() as connection:
            return question(connection)
    except transport.ERRORS as error:
        raise Unavailable(f"The broker does not answer: {error}") from error
