"""Dramatiq with the best that its own settings give, and its result backend on."""

import asyncio
import os

import dramatiq
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend
from work import mark

url = os.environ["BROKER_URL"]
middleware = [
    AgeLimit(),
    TimeLimit(time_limit=60_000),
    ShutdownNotifications(),
    Callbacks(),
    Pipelines(),
    Retries(max_retries=3, min_backoff=1000, max_backoff=60_000),
    CurrentMessage(),
    Results(backend=RedisBackend(url=os.environ["JOB_STORE_URL"]), store_results=True, result_ttl=3_600_000),
]
if url.startswith("redis"):
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(
        url=url,
        middleware=middleware,
        heartbeat_timeout=15_000,
        maintenance_chance=100_000,
        dead_message_ttl=604_800_000,
    )
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)
dramatiq.set_broker(broker)
noop = dramatiq.actor(mark)


async def place(number: int) -> None:
    await asyncio.to_thread(noop.send, number)
