"""Where Dramatiq keeps its messages: lists in Redis."""

from threading import Event

from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.jobs.declare import lanes
from app.jobs.take import Taker
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (RedisError,)

# Taking is one step, so nothing is left half taken, and it writes nothing, so a full Redis drains.
_TAKE = """
for _, lane in ipairs(KEYS) do
  local id = redis.call('LPOP', lane)
  if id then
    local data = redis.call('HGET', lane .. '.msgs', id)
    redis.call('HDEL', lane .. '.msgs', id)
    return data or ''
  end
end
return false
"""


class JobBroker(RedisBroker):
    """Dramatiq on the Redis that `BROKER_URL` names."""

    def __init__(self, settings: Settings) -> None:
        client = Redis.from_url(
            settings.broker_url.get_secret_value(),
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
            # Leases bring back what a crash leaves. A short one would take a quiet API for dead, and
            # tidying up behind the dead scans all keys.
            heartbeat_timeout=3_600_000,
        )
        self.take_script = client.register_script(_TAKE)

    def key(self, lane: str) -> str:
        """Return the key of the list in which the lane's messages wait."""
        return f"{self.namespace}:{lane}"

    def send(self, message: Message[None]) -> None:
        """Put the message in its lane."""
        self.enqueue(message)

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
        data: bytes | None = self._broker.take_script(keys=[self._broker.key(lane) for lane in lanes])
        return data

    def rest(self, seconds: float) -> None:
        if not self._woken.wait(seconds):
            self._broker.ping()  # a busy worker, too, must notice that its broker is gone
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()
