"""Where Celery keeps its messages: lists in Redis."""

from typing import Any

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app.jobs.redis_url import redis_url
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (OperationalError, RedisError, OSError)
# What a worker meets when something lies in a queue that is no message at all.
GARBLED = (ValueError, LookupError, TypeError)


def address(settings: Settings) -> dict[str, Any]:
    """Return where Redis is."""
    return {"broker_url": redis_url(settings.broker_url)}


def options(settings: Settings) -> dict[str, Any]:
    """Return how to talk to Redis."""
    return {
        "global_keyprefix": f"{settings.service}:",  # several services may share one Redis
        "queue_order_strategy": "priority",  # the first queue first; Celery's default takes turns
        # Taking a message writes nothing, so a full Redis drains. What a killed worker held comes
        # back through the record of its job.
        "ack_emulation": False,
        "socket_timeout": 1.5,  # without it a Redis that hangs hangs its callers
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 10,  # Celery's default notices a dead connection after 51 s
    }


def queue(settings: Settings, lane: str) -> Queue:
    """Return the queue of a lane: a list that is there while it holds messages, so nothing to declare."""
    return Queue(lane, routing_key=lane, no_declare=True)


def hurry(connection: Connection) -> None:
    """Make every call on the connection fail within about a second; `socket_timeout` does."""


def assure(connection: Connection) -> None:
    """Raise when Redis is gone: a worker asks it for nothing while all its processes are busy."""
    channel: Any = connection.default_channel
    with channel.conn_or_acquire() as client:
        client.ping()
