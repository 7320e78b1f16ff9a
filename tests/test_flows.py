"""Chains and chords, started for real: what a crash in the middle of one leaves undone is done once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgtasks.case import Case
from service.project import Project, install, write_project
from service.running import Service, running
from service.variants import OPTIONS, VARIANTS, Variant

TASKS = '''
import time

from app.jobs import task
from app.settings import get_settings


@task(name="flows.member", max_retries=5)
def member(number: int, seconds: float) -> int:
    """Take some time; fails while its file is there."""
    time.sleep(seconds)
    if (get_settings().data_dir / f"broken-{number}").exists():
        raise ValueError(number)
    return number


@task(name="flows.gather")
def gather(numbers: list[int]) -> list[int]:
    """Note each run."""
    with (get_settings().data_dir / "gathered").open("a") as file:
        file.write("run\\n")
    return numbers
'''
ROUTES = '''
from fastapi import APIRouter

from app.jobs import Job
from app.jobs.flow import Step, chord
from app.tasks.flows import gather, member

router = APIRouter(prefix="/flows")


@router.post("")
async def start(size: int, seconds: float) -> Job:
    """Start a chord."""
    return await chord([Step(member, number, seconds) for number in range(size)], Step(gather))
'''


@pytest.fixture(scope="module", params=[one for one in VARIANTS if one.backend == "celery"], ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    """A variant that has chains."""
    chosen: Variant = request.param
    return chosen


@pytest.fixture(scope="module")
def project(variant: Variant, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with chains, and a task and a route of the tests."""
    answers = {"backend": variant.backend} | variant.answers | OPTIONS["chains"]
    made = install(write_project(case, tmp_path_factory.mktemp(f"{variant}-chains-") / "demo", **answers))
    (made.root / "app/tasks/flows.py").write_text(TASKS)
    (made.root / "app/api/flows.py").write_text(ROUTES)
    return made


@pytest.fixture
def service(variant: Variant, project: Project, tmp_path: Path) -> Iterator[Service]:
    """The service, running, with a lease that is short enough for a test."""
    with running(project, variant.broker, tmp_path, LEASE_S="3", WORKER_PROCESSES="4") as started:
        (tmp_path / "data").mkdir()
        started.start_api()
        started.start_worker()
        yield started


def start(service: Service, size: int, seconds: float) -> str:
    job_id: str = service.call("POST", f"/flows?size={size}&seconds={seconds}").json["id"]
    return job_id


def runs(service: Service) -> int:
    return len((service.folder / "data/gathered").read_text().splitlines())


def test_a_chord_survives_the_worker_that_is_killed_in_its_middle(service: Service) -> None:
    job_id = start(service, size=40, seconds=0.5)
    header = [f"{job_id}-{number}" for number in range(1, 41)]

    def in_state(state: str) -> set[str]:
        return {one for one in header if service.job(one)["state"] == state}

    service.until(lambda: len(in_state("succeeded")) >= 5 and bool(in_state("running")), "the middle of the header")
    service.stop(service.worker, signal.SIGKILL)
    assert service.job(job_id)["state"] == "queued"
    interrupted = in_state("running")
    assert interrupted
    service.start_worker()
    job = service.wait(job_id)
    assert (job["state"], job["result"], runs(service)) == ("succeeded", list(range(40)), 1)
    assert {one for one in header if service.job(one)["attempts"] > 1} == interrupted


def test_two_hundred_jobs_fan_out_and_are_gathered_once(service: Service) -> None:
    job = service.wait(start(service, size=200, seconds=0))
    assert (job["state"], job["result"], runs(service)) == ("succeeded", list(range(200)), 1)


def test_a_dead_letter_holds_the_callback_until_it_is_retried(service: Service) -> None:
    broken = service.folder / "data/broken-2"
    broken.touch()
    job_id = start(service, size=3, seconds=0)
    assert service.wait(f"{job_id}-3")["state"] == "failed"
    assert service.job(job_id)["state"] == "queued"
    broken.unlink()
    assert service.call("POST", f"/jobs/{job_id}-3/retry").status == 202
    assert service.wait(job_id)["result"] == [0, 1, 2]
