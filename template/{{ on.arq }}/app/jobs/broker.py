"""Messages travel with ARQ; this is the only module that knows it.

A message is a job id in ARQ's queue and nothing else: ringing twice for a job that waits leaves
one message. ARQ by itself keeps a message until its job has run, under a key that outlives a
killed worker by the longest job; here a worker takes it off, and the lease of the record decides.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from time import time
from typing import Any, TypeVar

from arq import Worker
from arq.connections import ArqRedis
from redis import Redis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from redis.retry import Retry

from app.jobs.errors import Unavailable
from app.jobs.execute import close, create_task, run_job
from app.jobs.heartbeat import beat
from app.jobs.pool import ThreadSettings, may_take
from app.jobs.redis_url import redis_url
from app.jobs.threads import Once
from app.settings import get_settings

logger = logging.getLogger(__name__)
R = TypeVar("R")

_DAY_MS = 24 * 3600 * 1000
# Workers take the lowest score first, and none above their own clock: a day of head start
# makes a message due whatever the clocks say, a hundred days let it overtake.
_HEAD_START_MS = {"urgent": 100 * _DAY_MS}
_PAUSE_S = 1.0


@Once
def _redis() -> Redis:
    return Redis.from_url(
        redis_url(get_settings().broker_url),
        socket_timeout=1,
        socket_connect_timeout=1,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),  # callers of the API want an answer; recovery looks again anyway
    )


def _queue() -> str:
    return f"{get_settings().service}:messages"


def ring(job_id: str, lane: str) -> None:
    """Send the message that a job waits.

    Raises:
        Unavailable: The broker does not take it.
    """
    ring_all([(job_id, lane)])


def ring_all(jobs: list[tuple[str, str]]) -> None:
    """Send the message for each job id and lane, in one round trip."""
    now = time() * 1000
    scores = {job_id: now - _HEAD_START_MS.get(lane, _DAY_MS) for job_id, lane in jobs}
    # NX: who waits already keeps its place.
    _guard(lambda: _redis().zadd(_queue(), scores, nx=True))


def broker_depth() -> int:
    """Return how many messages of this service wait, in all lanes together."""
    waiting: Any = _guard(lambda: _redis().zcard(_queue()))
    return int(waiting)


def ping_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    _guard(_redis().ping)


def _guard(call: Callable[[], R]) -> R:
    try:
        return call()
    except RedisError as error:
        raise Unavailable(f"The broker does not answer: {error}") from error


class _Worker(Worker):
    """ARQ's worker, with the job record in place of the keys that ARQ keeps for each job."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.taking = asyncio.Lock()

    @property
    def running(self) -> list[asyncio.Task[Any]]:
        """The jobs that run now."""
        return [task for task in self.tasks.values() if not task.done()]

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Fill the free places, and fill them again for as long as ARQ would sleep now."""
        until = self.loop.time() + self.poll_delay_s
        while job_ids and (left := until - self.loop.time()) > 0:
            room = self.max_jobs - len(self.running)
            if room and not await self._take(room):
                return
            await asyncio.wait(self.running, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _take(self, room: int) -> bool:
        """Take up to `room` messages off the queue; return whether there may be more."""
        async with self.taking:
            if not may_take():
                return False
            taken = await self.pool.zpopmin(self.queue_name, room)
            for message, score in taken:
                job_id = message.decode(errors="replace")
                task = self.loop.create_task(self.run_job(job_id, score))
                self.tasks[f"{job_id} {id(task)}"] = task  # a repeat must not hide the job that runs
        return len(taken) == room

    async def run_job(self, job_id: str, score: int) -> None:
        """Run the job; whatever it was that could not be recorded, its lease runs out."""
        try:
            await run_job(job_id)
        except asyncio.CancelledError:  # a stop, or what the job left behind, which must not end the worker
            logger.info("job no longer waited for", extra={"job_id": job_id})
        except Exception:  # one job must not end the worker
            logger.exception("job left to recovery", extra={"job_id": job_id})

    async def heart_beat(self) -> None:
        """Show each round that the event loop turns and messages are looked for."""
        beat("loop")


def serve(stop: threading.Event, patience_s: Callable[[], float]) -> None:
    """Run jobs until `stop` is set, then let what runs finish for `patience_s()`."""
    # Not `asyncio.run`: at its end it would wait for what ignores that it is cancelled.
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    loop.set_task_factory(create_task)
    loop.run_until_complete(_serve(stop, patience_s))


async def _serve(stop: threading.Event, patience_s: Callable[[], float]) -> None:
    # ARQ's own log would repeat every message; the job's log says what matters.
    logging.getLogger("arq").setLevel(logging.WARNING)
    worker = _Worker(
        functions=[run_job],
        queue_name=_queue(),
        redis_pool=_pool(),
        handle_signals=False,  # SIGTERM sets `stop`
        max_jobs=ThreadSettings().worker_threads,
        poll_delay=0.05,  # an idle worker would let a job wait for ARQ's half a second
        queue_read_limit=1,  # it only asks whether there is anything to take
    )
    polling = asyncio.create_task(_poll(worker))
    await asyncio.to_thread(stop.wait)
    async with worker.taking:
        pass  # what is taken now has a task then
    for left_s in (patience_s(), _PAUSE_S):
        if worker.running:
            await asyncio.wait(worker.running, timeout=left_s)
        for task in worker.running:
            task.cancel()  # hands the job back, unless the task ignores it
    polling.cancel()
    await close()


async def _poll(worker: _Worker) -> None:
    """Poll for ever: ARQ itself would end with the first error of its broker."""
    while True:
        try:
            await worker.async_run()
        except RedisError as error:
            logger.warning("no messages, the broker does not answer", extra={"error": str(error)})
        beat("loop")
        await asyncio.sleep(_PAUSE_S)


def _pool() -> ArqRedis:
    return ArqRedis(
        ConnectionPool.from_url(
            redis_url(get_settings().broker_url),
            socket_timeout=5,
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=10,
            # Few: each try of a command tries to connect as often again.
            retry=AsyncRetry(ExponentialBackoff(base=0.1, cap=1), 3),
            retry_on_error=[ConnectionError, TimeoutError],
        )
    )
