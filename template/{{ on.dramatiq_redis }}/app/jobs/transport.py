"""Where Dramatiq keeps its messages: lists in Redis."""

from threading import Event
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.jobs.declare import lanes
from app.jobs.redis_url import redis_url
from app.jobs.take import Taker
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (RedisError,)


class JobBroker(RedisBroker):
    """Dramatiq on the Redis that `BROKER_URL` names."""

    def __init__(self, settings: Settings) -> None:
        client = Redis.from_url(
            redis_url(settings.broker_url),
            socket_timeout=1,  # callers of the API want an answer; the worker looks again anyway
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=10,
            retry=Retry(NoBackoff(), 0),
        )
        super().__init__(
            client=client,
            middleware=[],  # retries, limits and results are the job record's
            namespace=f"{{{settings.service}}}:messages",
        )

    def key(self, lane: str) -> str:
        """Return the key of the list in which the lane's messages wait."""
        return f"{self.namespace}:{lane}"

    def send(self, message: Message[None]) -> None:
        """Put the message in its lane.

        Dramatiq's own script keeps account of what each worker has taken, which the leases of jobs do here.
        """
        self.client.rpush(self.key(message.queue_name), message.encode())

    def depth(self) -> int:
        """Return how many messages wait, in all lanes together."""
        return sum(int(self.client.llen(self.key(lane))) for lane in lanes())

    def ping(self) -> None:
        """Raise when Redis does not answer."""
        self.client.ping()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return what takes messages for the worker."""
        return _RedisTaker(self)


class _RedisTaker(Taker):
    errors = ERRORS

    def __init__(self, broker: JobBroker) -> None:
        super().__init__()
        self._broker = broker
        self._woken = Event()

    def take(self, lanes: list[str]) -> bytes | None:
        keys = [self._broker.key(lane) for lane in lanes]
        taken: Any = self._broker.client.lmpop(len(keys), *keys, direction="LEFT")
        return taken[1][0] if taken else None

    def rest(self, seconds: float) -> None:
        if not self._woken.wait(seconds):
            self._broker.ping()  # a busy worker, too, must notice that its broker is gone
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()
