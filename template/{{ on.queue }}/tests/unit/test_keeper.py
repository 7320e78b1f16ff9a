import threading
from datetime import UTC, datetime
from time import monotonic, sleep

import pytest

from app.jobs.declare import task
from app.jobs.errors import TimeLimitExceeded
from app.jobs.keeper import Keeper
from app.jobs.record import Job, JobState
from app.jobs.run import Run


@task(name="keeper.looked_after", max_retries=0)
def looked_after() -> None:
    """A task whose runs are looked after."""


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs for which the process would have been ended; nobody but the test looks."""
    culprits: list[Run] = []
    monkeypatch.setattr(Keeper, "_loop", lambda _: None)
    monkeypatch.setattr(Keeper, "_end_process", lambda _, culprit: culprits.append(culprit))
    return culprits


def started(seconds_ago: float) -> Run:
    """Return a run with a soft limit of 2 s that has lasted for so long."""
    job = Job(
        id="a",
        task=looked_after.name,
        queue=looked_after.queue,
        args=[],
        state=JobState.RUNNING,
        attempts=1,
        max_retries=0,
        created_at=datetime.now(UTC),
    )
    return Run(job, looked_after, soft_limit_s=2, started=monotonic() - seconds_ago, stop=lambda: None)


def test_a_keeper_that_looks_late_warns_the_task_before_it_ends_the_process(ended: list[Run]) -> None:
    keeper, run = Keeper(), started(60)
    with keeper.watch(run):
        keeper._limit()
        warned = run.interrupted, list(ended)
        keeper._limit()
    assert warned == (TimeLimitExceeded, [])
    assert ended == [run]


def test_a_process_that_ends_waits_for_the_record_of_what_is_over(ended: list[Run]) -> None:
    keeper, run, over, recorded = Keeper(), started(0), threading.Event(), list[Run]()

    def end_slowly() -> None:
        with keeper.watch(run):
            run.close()
            over.set()
            sleep(0.2)
            recorded.append(run)

    threading.Thread(target=end_slowly).start()
    over.wait()
    keeper.hand_back()
    assert recorded == [run]
    assert ended == []
