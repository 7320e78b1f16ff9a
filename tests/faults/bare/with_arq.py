"""ARQ as its documentation shows it: a pool to enqueue with, WorkerSettings; blocking functions go to a thread."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import probe_work as work
from arq import create_pool, cron
from arq.connections import RedisSettings
from arq.worker import func
from fastapi import Body, FastAPI, Header, Request

from probes import COROUTINES, PROBES, Probe, name_of

REDIS = RedisSettings.from_dsn(os.environ["BROKER_URL"])


def threaded(run: Probe) -> Probe:
    return lambda *args: asyncio.to_thread(run, *args)


def job(run: Probe) -> Probe:
    async def called(_: dict[str, Any], *args: Any) -> None:
        await run(*args)

    return called


async def tick(_: dict[str, Any]) -> None:
    work.note("start", "tick")


# A user of ARQ writes coroutines where there is a choice, so a nap is one.
JOBS = {name: threaded(run) for name, run in PROBES.items()} | COROUTINES | {"nap": work.async_nap}


class WorkerSettings:
    redis_settings = REDIS
    functions = tuple(func(job(run), name=name) for name, run in JOBS.items())
    max_jobs = 8
    if period_s := int(os.environ.get("PROBE_PERIOD_S", 0)):
        cron_jobs = (cron(tick, second=set(range(0, 60, period_s))),)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await create_pool(REDIS)
    yield


api = FastAPI(lifespan=lifespan)


@api.post("/probe/{name}", status_code=202)
async def place(
    name: str,
    args: Annotated[list[Any], Body()],
    request: Request,
    idempotency_key: Annotated[str | None, Header()] = None,
    delay_s: float = 0,
) -> dict[str, str | None]:
    """Enqueue; a key that is known gives no job, so the answer is the key."""
    placed = await request.app.state.pool.enqueue_job(
        name_of(name), *args, _job_id=idempotency_key, _defer_by=timedelta(seconds=delay_s)
    )
    return {"id": placed.job_id if placed else idempotency_key}
