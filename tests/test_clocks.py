"""Leases hold, and run out, whatever the wall clocks of the workers say; each job store once."""

import dataclasses
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.clocks import wrong_clock
from service.project import Project
from service.running import Service, running
from service.variants import QUEUES, Variant, per_variant

TASK = """
import os
import time
from pathlib import Path

from app.jobs import task


@task(name="tests.nap")
def nap() -> None:
    with Path(os.environ["STARTS"]).open("a") as starts:
        starts.write("started\\n")
    while not Path(os.environ["WAKE"]).exists():
        time.sleep(0.1)
"""
ENQUEUE = """
import asyncio

from app.jobs import enqueue
from app.tasks.nap import nap

print(asyncio.run(enqueue(nap)).id)
"""
STORES = per_variant(one for one in QUEUES if str(one) in ("huey-sqlite", "huey-redis"))


@pytest.fixture
def service(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """A worker whose clock is right, with short leases and one task that takes its time."""
    variant: Variant = request.param
    project = Project(tmp_path / "demo")
    shutil.copytree(installed(variant).root, project.root, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (project.root / ".venv").symlink_to(installed(variant).root / ".venv")
    (project.root / "app/tasks/nap.py").write_text(TASK)
    settings = {
        "LEASE_S": "2",
        "SOFT_LIMIT_S": "60",
        "STARTS": str(tmp_path / "starts"),
        "WAKE": str(tmp_path / "wake"),
    }
    with running(project, variant.broker, tmp_path, **settings) as started:
        started.start_api()
        started.start_worker()
        yield started


@contextmanager
def other_worker(service: Service, clock: str) -> Iterator[None]:
    """Run one more worker, whose wall clock is off by this much."""
    env = service.env | wrong_clock(clock, service.folder) | {"HEARTBEAT_DIR": f"{service.folder}/other-heartbeat"}
    other = dataclasses.replace(service, env=env)
    other.start_worker()
    try:
        yield
    finally:
        other.stop(other.worker, signal.SIGKILL)


def start_nap(service: Service) -> str:
    """Enqueue a job that runs until it is woken, and return its id once it runs."""
    job_id = service.project.run(service.project.python, "-c", ENQUEUE, **service.env).stdout.strip()
    service.wait(job_id, "running")
    return job_id


def wake(service: Service) -> None:
    Path(service.env["WAKE"]).touch()


def starts(service: Service) -> int:
    return len(Path(service.env["STARTS"]).read_text().splitlines())


@pytest.mark.parametrize("service", STORES, indirect=True)
def test_a_worker_whose_clock_is_ahead_takes_no_job_from_another(service: Service) -> None:
    job_id = start_nap(service)
    with other_worker(service, "+60s"):
        time.sleep(5)  # more than two leases
        wake(service)
        job = service.wait(job_id)
    assert (job["state"], job["attempts"], starts(service)) == ("succeeded", 1, 1)


@pytest.mark.parametrize("service", STORES, indirect=True)
def test_a_worker_whose_clock_is_behind_takes_the_job_of_a_dead_one(service: Service) -> None:
    job_id = start_nap(service)
    with other_worker(service, "-60s"):
        service.stop(service.worker, signal.SIGKILL)
        service.until(lambda: starts(service) == 2, "the second start", 30)
        wake(service)
        assert service.wait(job_id)["attempts"] == 2
