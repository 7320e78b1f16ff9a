"""Messages travel with Celery: this module sends and counts them, `app.worker` takes them.

A message carries a job id and nothing else. It may get lost or come twice: the job record
decides what runs, and the recovery loop rings again for what nobody heard of.
"""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue

from app.jobs import transport
from app.jobs.declare import lanes
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.jobs.threads import Once
from app.settings import get_settings

R = TypeVar("R")


@Once
def celery_app() -> Celery:
    """Return Celery on the broker that `BROKER_URL` names; it connects on first use."""
    settings = get_settings()
    app = Celery(settings.service, set_as_current=False)
    app.conf.update(
        transport.address(settings),
        task_queues=[queue_of(lane) for lane in lanes()],
        task_default_queue=queue_of(lanes()[-1]).name,
        # With kombu's own number of retries, a connection that cannot be made is tried for ever.
        broker_transport_options=transport.options(settings) | {"max_retries": 0},
        broker_connection_timeout=1,
        broker_pool_limit=16,  # as many as there are threads for callers, so nobody waits for another
        task_publish_retry=False,  # a caller of the API wants an answer; it may try again
        task_ignore_result=True,  # the job store keeps the results
        accept_content=["json"],
    )
    app.task(name="run_job")(run_job)
    return app


def queue_of(lane: str) -> Queue:
    """Return the queue of a lane.

    The lane of a task that was removed has no worker any more: the last one takes its jobs.
    """
    return _queues().get(lane) or _queues()[lanes()[-1]]


@cache
def _queues() -> dict[str, Queue]:
    return {lane: transport.queue(get_settings(), lane) for lane in lanes()}


def ring(job_id: str, lane: str) -> None:
    """Send the message that a job waits.

    Raises:
        Unavailable: The broker does not take it.
    """
    ring_all([(job_id, lane)])


def ring_all(jobs: list[tuple[str, str]]) -> None:
    """Send the message for each job id and lane.

    Raises:
        Unavailable: The broker does not take one; some may have been sent.
    """
    doorbell = celery_app().tasks["run_job"]

    def send(connection: Connection) -> None:
        for job_id, lane in jobs:
            doorbell.apply_async(
                (job_id,), task_id=job_id, queue=queue_of(lane), connection=connection, confirm_timeout=1
            )

    _ask(send)


def broker_depth() -> int:
    """Return how many messages of this service wait, in all lanes together."""

    def count(connection: Connection) -> int:
        queues = [queue.bind(connection.default_channel) for queue in _queues().values()]
        return sum(queue.queue_declare().message_count for queue in queues)

    return _ask(count)


def ping_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    broker_depth()


def _ask(question: Callable[[Connection], R]) -> R:
    with celery_app().pool.acquire(block=True) as connection:
        if connection.connected:
            try:
                return question(connection)
            except transport.ERRORS:
                connection.collect()  # it died while it waited in the pool, which says nothing about the broker
        try:
            transport.hurry(connection)
            return question(connection)
        except transport.ERRORS as error:
            connection.collect()
            raise Unavailable(f"The broker does not answer: {error}") from error
