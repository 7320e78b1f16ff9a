import threading
from datetime import UTC, datetime
from time import monotonic, sleep

import pytest

from app.jobs.declare import task
from app.jobs.errors import TimeLimitExceeded, Unavailable
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


def test_a_job_is_held_from_its_claim_on_and_to_its_limits_once_it_runs(
    ended: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, run = Keeper(), started(60)
    monkeypatch.setattr("app.jobs.keeper.begin", lambda _: run)
    assert keeper.take("a") is run
    keeper._limit()
    assert (keeper._held(), run.interrupted) == ([run], None)
    with keeper.watch(run):
        keeper._limit()
    assert (keeper._held(), run.interrupted, ended) == ([], TimeLimitExceeded, [])


def test_a_process_that_ends_waits_for_what_it_claims_and_claims_no_more(
    ended: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, claiming, claimed, released = Keeper(), threading.Event(), list[str](), list[Run]()

    def claim_slowly(job_id: str) -> Run:
        claiming.set()
        sleep(0.2)
        claimed.append(job_id)
        return started(0)

    monkeypatch.setattr("app.jobs.keeper.begin", claim_slowly)
    monkeypatch.setattr(keeper, "_release", lambda: released.extend(keeper._held()))
    threading.Thread(target=keeper.take, args=["a"], daemon=True).start()
    claiming.wait()
    keeper.hand_back()
    threading.Thread(target=keeper.take, args=["b"], daemon=True).start()
    sleep(0.5)
    assert (len(released), claimed, ended) == (1, ["a"], [])


def test_a_process_that_ends_lets_others_end_that_were_just_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up, exits = list[Job](), list[int]()
    monkeypatch.setattr(Keeper, "_loop", lambda _: None)
    monkeypatch.setattr("app.jobs.keeper.give_up", lambda job, *_: given_up.append(job))
    monkeypatch.setattr("os._exit", exits.append)
    keeper, culprit, told = Keeper(), started(60), started(60)
    culprit.interrupted = told.interrupted = TimeLimitExceeded

    def end_soon() -> None:
        with keeper.watch(told):
            sleep(0.2)

    with keeper.watch(culprit):
        ending = threading.Thread(target=end_soon)
        ending.start()
        while told not in keeper._held():
            sleep(0.01)
        keeper._end_process(culprit)
    assert (given_up, exits) == ([culprit.job], [70])


def test_a_process_ends_also_when_its_jobs_cannot_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("away")

    exits = list[int]()
    monkeypatch.setattr(Keeper, "_loop", lambda _: None)
    monkeypatch.setattr("app.jobs.keeper.give_up", away)
    monkeypatch.setattr("os._exit", exits.append)
    keeper, culprit = Keeper(), started(60)
    with keeper.watch(culprit):
        keeper._end_process(culprit)
    assert exits == [70]


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
