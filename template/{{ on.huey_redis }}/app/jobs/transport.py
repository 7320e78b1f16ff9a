"""Where Huey keeps its messages: a sorted set in Redis."""

from huey import PriorityRedisHuey
from huey.serializer import Serializer
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.jobs.redis_url import redis_url
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (RedisError,)


def connect(settings: Settings, serializer: Serializer) -> PriorityRedisHuey:
    """Return Huey on the Redis that `BROKER_URL` names."""
    pool = ConnectionPool.from_url(
        redis_url(settings.broker_url),
        socket_timeout=5,  # above the read timeout of a worker that waits for a message
        socket_connect_timeout=1,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),  # callers of the API want an answer; workers look again anyway
    )
    return PriorityRedisHuey(
        settings.service,
        connection_pool=pool,
        results=False,  # the job store keeps the results
        utc=True,
        serializer=serializer,
        read_timeout=1,
    )


def assure(huey: PriorityRedisHuey) -> None:
    """Raise when Redis does not answer."""
    huey.pending_count()
