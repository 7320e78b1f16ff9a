"""Where Dramatiq keeps its messages: lists in Redis."""

from typing import Any

from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.jobs.heartbeat import beat
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (RedisError,)


class _Consumer(_RedisConsumer):
    """Shows each round that it still takes messages."""

    def __next__(self) -> Any:
        message = super().__next__()
        beat(self.queue_name)
        return message


class JobBroker(RedisBroker):
    """Dramatiq on Redis."""

    @property
    def consumer_class(self) -> type[_Consumer]:
        return _Consumer

    def depth(self, lane: str) -> int:
        """Return how many messages wait in the lane."""
        return int(self.client.llen(f"{self.namespace}:{lane}"))

    def ping(self) -> None:
        """Raise when Redis does not answer."""
        self.client.ping()


def connect(settings: Settings) -> JobBroker:
    """Return Dramatiq on the Redis that `BROKER_URL` names."""
    client = Redis.from_url(
        settings.broker_url.get_secret_value(),
        socket_timeout=1,  # callers of the API want an answer; the worker looks again anyway
        socket_connect_timeout=1,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
    )
    return JobBroker(
        client=client,
        middleware=[],  # retries, limits and results are the job record's
        namespace=f"{{{settings.service}}}:messages",
        heartbeat_timeout=15_000,  # Dramatiq's default keeps what a dead worker had fetched for 60 s
        maintenance_chance=100_000,  # of a million: each tenth call looks for the dead
    )
