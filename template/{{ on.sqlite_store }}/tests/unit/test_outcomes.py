import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from app.jobs import Job, JobCancelled, JobState, declare, task
from app.jobs.errors import Unavailable
from app.jobs.execute import run_job
from app.jobs.recovery import Recovery
from app.jobs.store import job_store
from app.settings import get_settings


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs run in this process, on a store of their own."""
    monkeypatch.setenv("JOB_STORE_URL", f"sqlite:///{tmp_path}/jobs.db")
    monkeypatch.setattr(declare, "_declared", dict(declare._declared))
    get_settings.cache_clear()
    job_store.cache_clear()
    yield
    job_store.cache_clear()


def outcome_of(name: str) -> Job:
    store = job_store(patient=True)
    store.add("a", name, "default", "[]", "", 1, 0)
    run_job("a")
    job = store.get("a")
    assert job is not None
    return job


def test_a_result_that_is_not_json_is_a_failure_and_no_retry() -> None:
    task(name="tests.object", retry_on=(Exception,))(object)
    job = outcome_of("tests.object")
    assert (job.state, job.reason, job.attempts) == (JobState.FAILED, "bad_result", 1)


def test_a_task_that_leaves_the_process_is_a_failure() -> None:
    task(name="tests.exit")(sys.exit)
    job = outcome_of("tests.exit")
    assert (job.state, job.reason) == (JobState.FAILED, "error")


def test_a_cancelled_job_is_not_retried_whatever_its_task_retries() -> None:
    def cancelled() -> None:
        from app.jobs.run import current_run

        current_run.get().interrupted = JobCancelled
        raise JobCancelled

    task(name="tests.cancelled", retry_on=(Exception,))(cancelled)
    assert outcome_of("tests.cancelled").state == JobState.CANCELLED


def test_a_declared_exception_leads_to_another_try() -> None:
    def broken() -> None:
        raise ConnectionError("away")

    task(name="tests.broken", retry_on=(ConnectionError,))(broken)
    job = outcome_of("tests.broken")
    assert (job.state, job.error) == (JobState.RETRYING, "ConnectionError: away")


def test_a_dead_letter_is_reported_also_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise Unavailable("away")

    reported: list[Job] = []
    task(name="tests.lost", on_dead_letter=reported.append)(sys.exit)
    for job_id, max_retries in (("dead", 0), ("alive", 1)):
        job_store(patient=True).add(job_id, "tests.lost", "default", "[]", "", max_retries, 0)
        job_store(patient=True).claim(job_id)
    much_later = monotonic() + 100
    monkeypatch.setattr("app.jobs.store.monotonic", lambda: much_later)
    monkeypatch.setattr("app.jobs.recovery.ring_all", away)
    with pytest.raises(Unavailable):
        Recovery().look()
    assert [job.id for job in reported] == ["dead"]
