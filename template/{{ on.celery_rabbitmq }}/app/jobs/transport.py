"""Where Celery keeps its messages: durable queues in RabbitMQ."""

from typing import Any
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (OperationalError, AMQPError, OSError)
# A queue of RabbitMQ holds messages and nothing else.
GARBLED: tuple[type[Exception], ...] = ()


def address(settings: Settings) -> dict[str, Any]:
    """Return where RabbitMQ is, and with TLS whose certificate it has to show: kombu takes any host's."""
    url = settings.broker_url.get_secret_value()
    name = {"server_hostname": urlsplit(url).hostname}
    return {"broker_url": url, "broker_use_ssl": name if url.startswith("amqps://") else None}


def options(settings: Settings) -> dict[str, Any]:
    """Return how to talk to RabbitMQ."""
    return {"confirm_publish": True}  # without it a message that RabbitMQ refuses is lost silently


def queue(settings: Settings, lane: str) -> Queue:
    """Return the queue of a lane: a quorum queue, which survives the loss of a node."""
    name = f"{settings.service}.{lane}"
    return Queue(name, Exchange(name), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


def hurry(connection: Connection) -> None:
    """Make every call on the connection fail within about a second; AMQP itself waits for ever."""
    connection.default_channel.connection.sock.settimeout(1)


def assure(connection: Connection) -> None:
    """Raise when RabbitMQ is gone; the heartbeats of AMQP do."""
