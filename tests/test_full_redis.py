"""A Redis whose memory runs out refuses new jobs in time, and what it accepted drains to the last one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.project import Project
from service.redis import RedisEye
from service.running import Service, running
from service.variants import QUEUES, Variant, per_variant

ENQUEUE = """
import asyncio
import sys

from app.jobs import Unavailable, enqueue
from app.tasks.reports import build_report


async def enqueue_reports(most: int) -> None:
    for number in range(most):
        try:
            await enqueue(build_report, "2026-10", 1)
        except Unavailable as error:
            print(error)
            break
    print(number)


asyncio.run(enqueue_reports(int(sys.argv[1])))
"""
ANY_REDIS = per_variant(one for one in QUEUES if str(one) == "huey-redis")
OPEN = ("queued", "delayed", "retrying", "running")


@pytest.fixture
def service(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """A service on a Redis of its own, whose API and worker are not started yet."""
    variant: Variant = request.param
    with running(installed(variant), variant.broker, tmp_path) as prepared:
        yield prepared


@pytest.fixture
def redis(service: Service) -> Iterator[RedisEye]:
    """A look into its Redis."""
    eye = RedisEye(service.servers["redis"].port)
    yield eye
    eye.close()


def enqueue(service: Service, most: int) -> list[str]:
    """Enqueue up to so many jobs; gives what the refusal said, if any, and how many were accepted."""
    done = service.project.run(service.project.python, "-c", ENQUEUE, str(most), **service.env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def jobs_in(redis: RedisEye, *states: str) -> int:
    return sum(int(redis.ask("ZCARD", f"{{demo}}:state:{state}")) for state in states)


@pytest.mark.parametrize("service", ANY_REDIS, indirect=True)
def test_new_jobs_are_refused_before_the_memory_is_used_up(service: Service, redis: RedisEye) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", 4_000_000)
    refusal, accepted = enqueue(service, 10_000)
    assert refusal == "The memory of Redis is almost used up"
    assert jobs_in(redis, "queued") == int(accepted) > 1000
    assert int(redis.info("memory")["used_memory"]) < 4_000_000


@pytest.mark.parametrize("service", ANY_REDIS, indirect=True)
def test_the_api_says_when_to_come_back(service: Service, redis: RedisEye) -> None:
    service.start_api()
    redis.ask("CONFIG", "SET", "maxmemory", 1_000_000)
    answer = service.call("POST", "/reports", {"month": "2026-10-01", "rows": 1})
    assert (answer.status, answer.headers["retry-after"], jobs_in(redis, *OPEN)) == (503, "30", 0)


@pytest.mark.parametrize("service", ANY_REDIS, indirect=True)
def test_what_was_accepted_drains_when_no_memory_is_left(service: Service, redis: RedisEye) -> None:
    (accepted,) = enqueue(service, 300)
    redis.ask("CONFIG", "SET", "maxmemory", 1_000_000)
    with pytest.raises(AssertionError, match="OOM"):
        redis.ask("SET", "something", "else")
    service.start_worker()
    service.until(lambda: not jobs_in(redis, *OPEN), "all jobs to end")
    assert jobs_in(redis, "succeeded") == int(accepted) + 1 == 300


@pytest.mark.parametrize("service", ANY_REDIS, indirect=True)
def test_a_waiting_job_takes_little_memory(service: Service, redis: RedisEye) -> None:
    enqueue(service, 1)
    before = int(redis.info("memory")["used_memory"])
    enqueue(service, 2000)
    redis.ask("DEL", *(key for key in redis.ask("KEYS", "*") if not key.startswith("{demo}:")))  # the messages
    assert (int(redis.info("memory")["used_memory"]) - before) / 2000 < 500  # bytes


@pytest.mark.parametrize("service", ANY_REDIS, indirect=True)
def test_an_outcome_waits_for_a_redis_that_cannot_write(service: Service, redis: RedisEye) -> None:
    service.start_api()
    service.start_worker()
    job_id = service.call("POST", "/reports", {"month": "2026-10-01", "rows": 1_000_000}).json["id"]
    service.wait(job_id, "running")
    (service.folder / "dump.rdb").mkdir()  # where the snapshot belongs
    redis.ask("CONFIG", "SET", "save", "3600 1")
    redis.ask("BGSAVE")
    service.until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot to fail")
    with pytest.raises(AssertionError, match="MISCONF"):
        redis.ask("SET", "something", "else")
    report = service.folder / "data/reports" / f"{job_id}.csv"
    service.until(report.exists, "the report")
    time.sleep(2)
    redis.ask("CONFIG", "SET", "save", "")
    job = service.wait(job_id)
    assert (job["state"], job["attempts"]) == ("succeeded", 1)
