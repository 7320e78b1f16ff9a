"""Workers end, crash and wear out, as real processes: no job is lost, none waits, the container's limits hold."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.project import Project
from service.running import Service, running
from service.variants import QUEUES, Variant, per_variant

TASKS = """
import asyncio
import ctypes
import os
import time
from datetime import timedelta

from app.jobs import task

kept = []


@task(name="probe.nap")
def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@task(name="probe.stay")
def stay() -> None:
    while not os.path.exists(os.environ["GATE"]):
        time.sleep(0.1)


@task(name="probe.leak")
def leak(mb: int) -> int:
    kept.append(b"x" * mb * 1_000_000)
    return os.getpid()


@task(name="probe.once", max_retries=0)
async def once() -> None:
    pass


@task(name="probe.block", max_retries=0, time_limit=timedelta(seconds=2))
async def block() -> None:
    time.sleep(600)


@task(name="probe.block_in_child")
async def block_in_child() -> None:
    async def child() -> None:
        time.sleep(6)

    await asyncio.gather(child())


@task(name="probe.short_nap", max_retries=0, time_limit=timedelta(seconds=2))
async def short_nap() -> None:
    await asyncio.sleep(1)


@task(name="probe.short_work", cpu=True, max_retries=0, time_limit=timedelta(seconds=2))
def short_work() -> None:
    time.sleep(1)


def crash(how: str) -> None:
    {"exit": lambda: os._exit(1), "crash": lambda: ctypes.string_at(0), "memory": lambda: b"x" * 2**60}[how]()


poison = task(name="probe.poison", max_retries=1)(crash)
tough_poison = task(name="probe.tough_poison", max_retries=3)(crash)
"""
ROUTES = """
from typing import Any

from fastapi import APIRouter

from app.jobs import Job, enqueue
from app.tasks import probe

router = APIRouter()


@router.post("/probe/{name}")
async def place(name: str, args: list[Any]) -> Job:
    return await enqueue(getattr(probe, name), *args)
"""
# One for each library where the broker makes no difference.
LIBRARIES = [one for one in QUEUES if str(one) in ("huey-sqlite", "arq-redis", "dramatiq-redis", "celery-redis")]
SUPERVISED = [one for one in LIBRARIES if one.backend != "celery"]
# Two jobs at once, whether in two threads of one process or in two processes.
SETTINGS = {"SOFT_LIMIT_S": "60", "LEASE_S": "3", "DRAIN_S": "2", "WORKER_THREADS": "2"}


@pytest.fixture
def service(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """An API, and a worker that has yet to be started, with tasks that misbehave."""
    variant: Variant = request.param
    project = Project(tmp_path / "demo")
    shutil.copytree(installed(variant).root, project.root, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (project.root / ".venv").symlink_to(installed(variant).root / ".venv")
    (project.root / "app/tasks/probe.py").write_text(TASKS)
    (project.root / "app/api/probe.py").write_text(ROUTES)
    processes = {"WORKER_PROCESSES": "2" if variant.backend == "celery" else "1"}
    with running(project, variant.broker, tmp_path, GATE=f"{tmp_path}/gate", **SETTINGS | processes) as started:
        started.start_api()
        yield started


def place(service: Service, name: str, *args: Any) -> str:
    job_id: str = service.call("POST", f"/probe/{name}", list(args)).json["id"]
    return job_id


def start(service: Service, name: str, *args: Any) -> str:
    """Place a job, and return its id once it runs."""
    job_id = place(service, name, *args)
    service.wait(job_id, "running")
    return job_id


def let_go(service: Service) -> None:
    """Let the jobs end that stay."""
    Path(service.env["GATE"]).touch()


def outcome(job: dict[str, Any]) -> tuple[str, str | None, int]:
    return job["state"], job["reason"], job["attempts"]


SUCCEEDED_AT_ONCE = ("succeeded", None, 1)


@pytest.mark.parametrize("service", per_variant(LIBRARIES), indirect=True)
def test_a_worn_out_process_is_replaced_before_its_last_job_ends(service: Service) -> None:
    service.start_worker()
    last = start(service, "stay")
    worn = service.wait(place(service, "leak", 250))["result"]
    assert service.wait(place(service, "nap", 0))["result"] != worn
    assert (service.job(last)["state"], service.healthy()) == ("running", True)
    let_go(service)
    assert outcome(service.wait(last)) == SUCCEEDED_AT_ONCE


@pytest.mark.parametrize("service", per_variant(SUPERVISED), indirect=True)
def test_a_stop_while_a_worn_out_process_leaves_is_in_time_and_loses_nothing(service: Service) -> None:
    service.start_worker()
    last = start(service, "stay")
    service.wait(place(service, "leak", 250))
    service.wait(place(service, "nap", 0))
    told = time.monotonic()
    assert service.stop(service.worker) == 0
    assert time.monotonic() - told < int(SETTINGS["DRAIN_S"]) + 5
    assert service.job(last)["state"] == "queued"
    let_go(service)
    service.start_worker()
    assert outcome(service.wait(last)) == SUCCEEDED_AT_ONCE


@pytest.mark.parametrize("service", per_variant(SUPERVISED), indirect=True)
def test_jobs_beside_one_that_ends_their_process_succeed(service: Service) -> None:
    service.env["WORKER_THREADS"] = "4"
    service.start_worker()
    beside = [start(service, "nap", 2) for _ in range(3)]
    poison = place(service, "tough_poison", "exit")
    assert outcome(service.wait(poison, seconds=90)) == ("failed", "worker_lost", 4)
    assert {service.wait(one)["state"] for one in beside} == {"succeeded"}


@pytest.mark.parametrize("service", per_variant(one for one in LIBRARIES if one.backend == "arq"), indirect=True)
def test_jobs_that_were_claimed_when_another_one_blocked_the_event_loop_run_after_it(service: Service) -> None:
    blocking, *others = [place(service, name) for name in ("block", *("once",) * 7)]
    service.env["WORKER_THREADS"] = "8"  # all of them at the same moment
    service.start_worker()
    assert outcome(service.wait(blocking)) == ("failed", "time_limit", 1)
    assert [outcome(service.wait(job_id)) for job_id in others] == [SUCCEEDED_AT_ONCE] * len(others)


@pytest.mark.parametrize("name", ["short_nap", "short_work"])
@pytest.mark.parametrize("service", per_variant(one for one in LIBRARIES if one.backend == "arq"), indirect=True)
def test_the_time_in_which_another_one_blocks_the_event_loop_does_not_count(service: Service, name: str) -> None:
    service.start_worker()
    assert outcome(service.wait(place(service, name))) == SUCCEEDED_AT_ONCE  # its process has started then
    job_id = start(service, name)
    blocking = start(service, "block_in_child")
    assert outcome(service.wait(job_id)) == SUCCEEDED_AT_ONCE
    assert outcome(service.wait(blocking)) == SUCCEEDED_AT_ONCE


@pytest.mark.parametrize("service", per_variant(LIBRARIES), indirect=True)
def test_a_job_that_runs_out_of_memory_leaves_its_process_alive(service: Service) -> None:
    service.start_worker()
    beside = start(service, "stay")
    assert outcome(service.wait(place(service, "poison", "memory"))) == ("failed", "error", 1)
    let_go(service)
    assert outcome(service.wait(beside)) == SUCCEEDED_AT_ONCE


@pytest.mark.parametrize("service", per_variant(QUEUES), indirect=True)
def test_what_a_stopped_worker_hands_back_starts_again_with_the_next_one(service: Service) -> None:
    service.start_worker()
    ids = [start(service, "stay") for _ in range(2)]
    assert service.stop(service.worker) == 0
    assert {service.job(one)["state"] for one in ids} == {"queued"}
    service.start_worker()
    up = datetime.now().astimezone()
    again = [datetime.fromisoformat(service.wait(one, "running")["started_at"]) for one in ids]
    assert max((began - up).total_seconds() for began in again) < 5
    let_go(service)
    assert {outcome(service.wait(one)) for one in ids} == {SUCCEEDED_AT_ONCE}


@pytest.mark.parametrize("service", per_variant(LIBRARIES), indirect=True)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_signals_to_all_processes_again_and_again_end_no_job(service: Service, signum: signal.Signals) -> None:
    service.env["DRAIN_S"] = "20"
    service.start_worker()
    ids = [start(service, "stay") for _ in range(2)]
    assert service.worker is not None
    for _ in range(4):
        os.killpg(service.worker.pid, signum)
        time.sleep(0.2)
    let_go(service)
    assert service.worker.wait(20) == 0
    assert {outcome(service.job(one)) for one in ids} == {SUCCEEDED_AT_ONCE}


@pytest.mark.parametrize("service", per_variant(LIBRARIES), indirect=True)
@pytest.mark.parametrize("after_s", [0.2, 0.7, 1.5])
def test_a_worker_that_is_stopped_while_it_starts_ends_and_loses_nothing(service: Service, after_s: float) -> None:
    ids = [place(service, "nap", 0.5) for _ in range(3)]
    worker = service.launch("worker", "-m", "app.worker")
    time.sleep(after_s)
    os.killpg(worker.pid, signal.SIGTERM)
    # The kernel ends a program that has not got as far as to say what a signal means.
    assert worker.wait(15) in (0, -signal.SIGTERM)
    service.start_worker()
    assert {outcome(service.wait(one)) for one in ids} == {SUCCEEDED_AT_ONCE}
