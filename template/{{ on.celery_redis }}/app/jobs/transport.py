"""Where Celery keeps its messages: lists in Redis."""

from typing import Any

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (OperationalError, RedisError, OSError)


def options(settings: Settings) -> dict[str, Any]:
    """Return how to talk to Redis."""
    return {
        "global_keyprefix": f"{settings.service}:",  # several services may share one Redis
        "queue_order_strategy": "priority",  # the first queue first; Celery's default takes turns
        # A message is acknowledged within minutes, and recovery is not left to it: this only
        # clears away what a killed worker held, and such a message finds that its job is done.
        "visibility_timeout": 3600,
        "socket_timeout": 1.5,  # without it a Redis that hangs hangs its callers
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 10,  # Celery's default notices a dead connection after 51 s
    }


def queue(settings: Settings, lane: str) -> Queue:
    """Return the queue of a lane."""
    return Queue(lane, Exchange(lane), routing_key=lane)


def hurry(connection: Connection) -> None:
    """Make every call on the connection fail within about a second; `socket_timeout` does."""


def assure(connection: Connection) -> None:
    """Raise when Redis is gone: a worker asks it for nothing while all its processes are busy."""
    channel: Any = connection.default_channel
    with channel.conn_or_acquire() as client:
        client.ping()
