import json
import time
from pathlib import Path

import pytest

from app.jobs.errors import TooManyJobs
from app.jobs.record import Job, JobState
from app.jobs.store import JobStore
from app.settings import get_settings


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    changes = {"job_store_url": f"sqlite:///{tmp_path}/jobs.db", "max_waiting_jobs": 3, "lease_s": 1}
    return JobStore(type(get_settings()).model_validate(get_settings().model_dump() | changes))


def add(store: JobStore, job_id: str = "a", key: str = "", delay_ms: int = 0, args: str = "[]") -> Job:
    return store.add(job_id, "reports.build", "default", args, key, 1, delay_ms)[0]


def test_one_worker_gets_the_job_and_the_next_is_told_that_it_runs(store: JobStore) -> None:
    add(store)
    assert store.claim("a").outcome == "claimed"
    assert store.claim("a").outcome == JobState.RUNNING


def test_a_message_does_not_start_what_runs_even_when_its_lease_has_run_out(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store)
    claimed = store.claim("a").job
    assert claimed is not None
    later = time.monotonic() + 100
    monkeypatch.setattr("app.jobs.store.monotonic", lambda: later)
    assert store.claim("a").outcome == JobState.RUNNING
    assert store.finish(claimed, JobState.SUCCEEDED)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_only_a_dead_letter_keeps_long_arguments(store: JobStore, state: JobState) -> None:
    args = ["x" * 2000]
    add(store, args=json.dumps(args))
    claimed = store.claim("a").job
    assert claimed is not None
    store.finish(claimed, state)
    finished = store.get("a")
    assert finished is not None
    assert finished.args == (args if state == JobState.FAILED else [])


def test_the_same_key_is_one_job(store: JobStore) -> None:
    assert add(store, "a", key="k").id == add(store, "b", key="k").id == "a"


def test_a_delayed_job_is_left_alone_until_it_is_due(store: JobStore) -> None:
    add(store, delay_ms=60_000)
    assert store.claim("a").outcome == JobState.QUEUED


def test_no_job_is_recorded_above_the_limit(store: JobStore) -> None:
    for number in range(3):
        add(store, str(number))
    with pytest.raises(TooManyJobs):
        add(store, "one too many")
    assert store.get("one too many") is None


def test_the_result_of_a_worker_that_lost_its_lease_is_not_recorded(store: JobStore) -> None:
    add(store)
    claimed = store.claim("a").job
    assert claimed is not None
    store.retry(claimed, delay_ms=0, error="")
    assert not store.finish(claimed, JobState.SUCCEEDED, result="1")


def test_whoever_handed_a_job_back_cannot_finish_it_for_the_next_worker(store: JobStore) -> None:
    add(store)
    first = store.claim("a").job
    assert first is not None
    store.hand_back(first)
    second = store.claim("a").job
    assert second is not None
    assert (second.attempts, store.renew([(first, None), (second, None)])) == (1, ["lost", "held"])
    assert not store.finish(first, JobState.SUCCEEDED)


def test_a_step_of_the_wall_clock_breaks_no_lease(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store)
    store.claim("a")
    an_hour_later = time.time() + 3600
    monkeypatch.setattr("app.jobs.store.time", lambda: an_hour_later)
    assert (store.due().ring, store.claim("a").outcome) == ([], JobState.RUNNING)


def test_a_job_that_was_due_a_minute_ago_is_counted_as_overdue(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, delay_ms=1000)
    add(store, "b")
    stats = store.stats()
    assert (stats["state:queued"], stats["state:delayed"], stats["overdue"]) == (1, 1, 0)
    later = time.time() + 62
    monkeypatch.setattr("app.jobs.store.time", lambda: later)
    assert store.stats()["overdue"] == 1


@pytest.mark.parametrize("key", ["", "k"])
def test_a_job_that_could_not_be_rung_for_is_forgotten_unless_a_repeat_was_told_of_it(
    store: JobStore, key: str
) -> None:
    add(store, key=key)
    assert store.withdraw("a")
    assert add(store, "b", key="k").id == "b"
    assert add(store, "c", key="k").id == "b"
    assert not store.withdraw("b")


def test_what_ran_or_waited_when_the_host_was_restarted_is_rung_for(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store)
    store.claim("a")
    add(store, "b")
    monkeypatch.setattr("app.jobs.store.monotonic", lambda: 1.0)
    assert [job_id for job_id, _ in store.unheard(messages=0)] == ["b"]
    assert [job_id for job_id, _ in store.due().ring] == ["a"]


def test_a_lease_that_ran_out_while_nobody_could_look_may_still_be_renewed(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store)
    store.due()
    claimed = store.claim("a").job
    assert claimed is not None
    now = time.monotonic()
    for late_s, rung in ((10, []), (10.9, []), (11, [("a", "reports.build")])):
        tick = now + late_s
        monkeypatch.setattr("app.jobs.store.monotonic", lambda tick=tick: tick)
        assert store.due().ring == rung


def test_a_backlog_is_not_taken_for_lost_messages(store: JobStore) -> None:
    add(store)
    assert store.unheard(messages=1) == []


def test_a_job_that_is_cancelled_while_it_runs_does_not_come_back(store: JobStore) -> None:
    add(store)
    claimed = store.claim("a").job
    assert claimed is not None
    store.cancel("a")
    store.hand_back(claimed)
    cancelled = store.get("a")
    assert cancelled is not None
    assert cancelled.state == JobState.CANCELLED


def test_final_jobs_are_forgotten_after_the_retention(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store)
    store.cancel("a")
    a_year_later = time.time() + 365 * 24 * 3600
    monkeypatch.setattr("app.jobs.store.time", lambda: a_year_later)
    store.due()
    assert store.get("a") is None
