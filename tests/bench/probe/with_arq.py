"""ARQ with the best that its own settings give, and its results kept."""

import os
from functools import cache
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func
from work import mark

REDIS = RedisSettings.from_dsn(os.environ["BROKER_URL"])


async def noop(_: dict[str, Any], number: int) -> int:
    return mark(number)


class WorkerSettings:
    redis_settings = REDIS
    functions = (func(noop, name="noop"),)
    max_jobs = int(os.environ["WORKER_THREADS"])
    handle_signals = True
    job_completion_wait = 6
    poll_delay = 0.02
    queue_read_limit = 500
    health_check_interval = 5
    max_tries = 5
    keep_result = 3600


@cache
def _opened() -> list[ArqRedis]:
    return []


async def place(number: int) -> None:
    if not _opened():
        _opened().append(await create_pool(REDIS))
    await _opened()[0].enqueue_job("noop", number)
