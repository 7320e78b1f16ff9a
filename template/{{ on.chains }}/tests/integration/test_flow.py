import asyncio
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path

import pytest

from app.jobs import Job, JobState, Unavailable, cancel_job, retry_job, task
from app.jobs.errors import BadArguments
from app.jobs.execute import run_job
from app.jobs.flow import Step, chain, chord
from app.jobs.store import JobStore, job_store
from app.settings import get_settings
from tests.integration.conftest import Service
from tests.integration.servers import broker

pytestmark = pytest.mark.integration


broken: set[float] = set()


@task(name="tests.double", max_retries=0)
def double(number: float) -> float:
    """Return twice the number, unless that is broken."""
    if number in broken:
        raise ValueError(number)
    return 2 * number


@task(name="tests.sum")
def add(start: float, numbers: list[float]) -> float:
    """Return the sum."""
    return start + sum(numbers)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with broker(tmp_path_factory.mktemp("flow")) as settings:
        yield settings


@pytest.fixture
def store(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[JobStore]:
    """An empty job store without workers: the tests take their part."""
    for name, value in (urls | {"SERVICE": tmp_path.name, "MAX_WAITING_JOBS": "250"}).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    job_store.cache_clear()
    yield job_store()
    job_store().close()
    job_store(patient=True).close()
    job_store.cache_clear()


def work(store: JobStore) -> int:
    """Do what recovery and workers do, until nothing is due; return how many jobs ran."""
    ran = 0
    while due := store.due().ring:
        for job_id, _ in due:
            for _ in range(2):  # a message may come twice
                copy_context().run(run_job, job_id)
            ran += 1
    return ran


def outcome(store: JobStore, job: Job) -> tuple[str, object]:
    found = store.get(job.id)
    assert found is not None
    return found.state, found.result


def test_a_quarter_is_the_sum_of_its_reports(service: Service) -> None:
    answer = service.api.post("/quarters", json={"year": 2026, "quarter": 4, "rows": 500})
    job = service.wait(answer.json()["id"])
    months = [service.wait(f"{job['id']}-{number}")["result"]["total_cents"] for number in (1, 2, 3)]
    assert job["result"]["total_cents"] == sum(months)
    assert service.api.get(f"/quarters/{job['id']}/file").text.splitlines()[-1] == f"total,{sum(months)}"


def test_a_chain_hands_each_result_to_the_next_job(store: JobStore) -> None:
    last = asyncio.run(chain(Step(double, 0.1), Step(double), Step(double)))
    assert work(store) == 3
    assert outcome(store, last) == ("succeeded", 0.8)


def test_a_chain_of_one_is_a_job(store: JobStore) -> None:
    last = asyncio.run(chain(Step(double, 4)))
    assert (work(store), outcome(store, last)) == (1, ("succeeded", 8))


@pytest.mark.parametrize("size", [0, 1, 200])
def test_a_chord_runs_its_callback_once_with_all_results_in_order(store: JobStore, size: int) -> None:
    last = asyncio.run(chord([Step(double, number) for number in range(size)], Step(add, 1)))
    assert work(store) == size + 1
    found = store.get(last.id)
    assert found is not None
    assert found.args == [1, [2 * number for number in range(size)]]
    assert (found.attempts, found.result) == (1, 1 + size * (size - 1))


def test_a_callback_that_is_rung_for_too_early_does_not_run(store: JobStore) -> None:
    last = asyncio.run(chord([Step(double, 1)], Step(add, 1)))
    copy_context().run(run_job, last.id)
    assert outcome(store, last) == ("queued", None)


def test_a_dead_letter_leaves_the_callback_waiting_and_a_retry_resumes_it(store: JobStore) -> None:
    broken.add(3)
    last = asyncio.run(chord([Step(double, 1), Step(double, 3)], Step(add, 0)))
    assert work(store) == 2
    assert outcome(store, last)[0] == "queued"
    broken.clear()
    asyncio.run(retry_job(f"{last.id}-2"))
    assert work(store) == 2
    assert outcome(store, last) == ("succeeded", 8)


def test_a_cancelled_job_cancels_those_after_it(store: JobStore) -> None:
    last = asyncio.run(chain(Step(double, 1), Step(double), Step(double)))
    asyncio.run(cancel_job(f"{last.id}-1"))
    assert work(store) == 0
    assert outcome(store, last)[0] == "cancelled"


def test_a_cancelled_callback_leaves_its_header_alone(store: JobStore) -> None:
    last = asyncio.run(chord([Step(double, 1), Step(double, 2)], Step(add, 0)))
    asyncio.run(cancel_job(last.id))
    assert work(store) == 2
    assert outcome(store, last)[0] == "cancelled"


def test_what_waits_beyond_the_retention_is_cancelled(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    short = get_settings().model_copy(update={"retention_s": 0})
    monkeypatch.setattr("app.jobs.flow.get_settings", lambda: short)
    last = asyncio.run(chain(Step(double, 1), Step(double), Step(double)))
    assert work(store) == 1
    assert outcome(store, last)[0] == "cancelled"
    assert store.stats()["jobs:tests.double:cancelled"] == 2


@pytest.mark.parametrize("step", [Step(add, 1, [], 2), Step(add, object())], ids=["too many", "no JSON"])
def test_arguments_are_checked_before_anything_is_recorded(store: JobStore, step: Step) -> None:
    with pytest.raises(BadArguments, match=r"tests\.sum"):
        asyncio.run(chord([Step(double, 1)], step))
    assert store.latest(None, 10) == []


def test_a_flow_that_has_no_room_is_refused_as_a_whole(store: JobStore) -> None:
    with pytest.raises(Unavailable, match="250"):
        asyncio.run(chord([Step(double, 1)] * 250, Step(add, 0)))
    assert store.latest(None, 10) == []


def test_a_repeated_key_is_one_flow(store: JobStore) -> None:
    first, again = (asyncio.run(chord([Step(double, 1)], Step(add, 0), idempotency_key="k")) for _ in range(2))
    assert first.id == again.id
    assert len(store.latest(JobState.QUEUED, 10)) == 2
