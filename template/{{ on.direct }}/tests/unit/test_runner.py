"""Jobs in this process: what `enqueue` promises, with real threads and processes."""

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.jobs import JobState, Task, cancel_job, enqueue, list_jobs, report_progress, retry_job, task
from app.jobs.declare import _declared
from app.jobs.errors import TooManyJobs
from app.jobs.lifespan import background_jobs
from app.jobs.processes import _as_it_travels, _outcome
from app.jobs.record import Job
from app.jobs.store import job_store

buried: list[Job] = []


@pytest.fixture(autouse=True)
def own_jobs() -> Iterator[None]:
    """Forget the tasks and the jobs of the test."""
    before = set(_declared)
    job_store.cache_clear()
    buried.clear()
    yield
    for name in set(_declared) - before:
        del _declared[name]


def run(enqueue_all: Callable[[], Awaitable[Any]], drain_s: float = math.inf) -> list[Job]:
    """Run what is enqueued to its end and return the jobs, the first one first."""

    async def main() -> list[Job]:
        async with background_jobs(drain_s):
            await enqueue_all()
        return sorted(job_store().latest(None, 100), key=lambda job: job.created_at)

    return asyncio.run(main())


def declare(function: Callable[..., Any], **options: Any) -> Task[..., Any]:
    return task(name=function.__name__, on_dead_letter=buried.append, **options)(function)


async def double(number: int) -> int:
    return 2 * number


def double_in_a_thread(number: int) -> int:
    report_progress(number, 2 * number)
    return 2 * number


@pytest.mark.parametrize("function", [double, double_in_a_thread])
def test_a_job_runs_and_keeps_its_result(function: Callable[..., Any]) -> None:
    (job,) = run(lambda: enqueue(declare(function), 21))
    assert (job.state, job.result, job.attempts) == (JobState.SUCCEEDED, 42, 1)


@pytest.mark.parametrize("result", [object(), math.nan, "\ud800"])
def test_a_result_that_json_cannot_carry_is_a_failure(result: object) -> None:
    def give() -> object:
        return result

    (job,) = run(lambda: enqueue(declare(give)))
    assert (job.state, job.reason) == (JobState.FAILED, "error")
    assert buried == [job]


async def leave(error: str) -> None:
    sys.exit(error)


def leave_in_a_thread(error: str) -> None:
    sys.exit(error)


async def raise_base_exception(error: str) -> None:
    raise BaseException(error)  # noqa: TRY002 - the worst that can be raised


def stop_iteration_in_a_thread(error: str) -> None:
    raise StopIteration(error)


@pytest.mark.parametrize("function", [leave, leave_in_a_thread, raise_base_exception, stop_iteration_in_a_thread])
def test_what_would_end_the_process_ends_the_job(function: Callable[..., Any]) -> None:
    async def leave_beside_another() -> None:
        await enqueue(declare(function), "enough")
        await enqueue(declare(double), 21, delay=timedelta(seconds=0.05))

    first, second = run(leave_beside_another)
    assert (first.state, first.reason) == (JobState.FAILED, "error")
    assert first.error is not None
    assert "enough" in first.error
    assert second.state is JobState.SUCCEEDED


@pytest.mark.parametrize("function", [leave, leave_in_a_thread])
def test_a_process_outlives_what_would_end_it(function: Callable[..., Any]) -> None:
    declared = declare(function, cpu=True)
    job, _ = job_store().add(declared.name, "default", ["enough"], None, 0)
    outcome = _outcome(job)
    assert isinstance(outcome, RuntimeError)
    assert "enough" in str(outcome)


def test_an_error_that_cannot_be_pickled_is_told_with_its_traceback() -> None:
    class Local(Exception):
        pass

    travelled = _as_it_travels(Local("lost"))
    assert "lost" in str(travelled)
    assert "Local" in travelled.__notes__[0]


def test_only_declared_exceptions_are_tried_again() -> None:
    calls = []

    async def flaky(error: str) -> None:
        calls.append(error)
        raise ConnectionError(error) if error == "network" else ValueError(error)

    flaky_task = declare(flaky, max_retries=1, retry_on=(ConnectionError,))

    async def both() -> None:
        await enqueue(flaky_task, "network")
        await enqueue(flaky_task, "input")

    assert [job.state for job in run(both)] == [JobState.FAILED] * 2
    assert sorted(calls) == ["input", "network", "network"]


def sleep_in_slices() -> None:
    for _ in range(500):
        time.sleep(0.01)


async def sleep_on_the_loop() -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize("function", [sleep_in_slices, sleep_on_the_loop])
def test_a_time_limit_ends_the_job(function: Callable[..., Any]) -> None:
    (job,) = run(lambda: enqueue(declare(function, time_limit=timedelta(seconds=0.1))))
    assert (job.state, job.reason) == (JobState.FAILED, "time_limit")


def test_a_job_that_ignores_its_limit_is_left_behind() -> None:
    async def stubborn() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                continue

    (job,) = run(lambda: enqueue(declare(stubborn, time_limit=timedelta(seconds=0.1))))
    assert (job.state, job.reason) == (JobState.FAILED, "time_limit")


@pytest.mark.parametrize("function", [sleep_in_slices, sleep_on_the_loop])
def test_a_running_job_can_be_cancelled(function: Callable[..., Any]) -> None:
    async def start_and_cancel() -> None:
        job = await enqueue(declare(function))
        await asyncio.sleep(0.05)
        await cancel_job(job.id)

    (job,) = run(start_and_cancel)
    assert job.state is JobState.CANCELLED


def test_a_waiting_job_that_is_cancelled_never_starts() -> None:
    async def cancel_at_once() -> None:
        job = await enqueue(declare(double), 1, delay=timedelta(seconds=0.1))
        await cancel_job(job.id)

    (job,) = run(cancel_at_once)
    assert (job.state, job.attempts) == (JobState.CANCELLED, 0)


def test_a_dead_letter_can_be_retried() -> None:
    answers = iter([ValueError("once"), None])

    async def fails_once() -> None:
        if error := next(answers):
            raise error

    async def retry_it() -> None:
        job = await enqueue(declare(fails_once))
        await asyncio.sleep(0.1)
        await retry_job(job.id)

    (job,) = run(retry_it)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)


def test_a_repeated_key_is_one_job() -> None:
    async def seven_times() -> None:
        number = declare(double)
        await asyncio.gather(*(enqueue(number, 1, idempotency_key="k") for _ in range(7)))

    assert len(run(seven_times)) == 1


def test_waiting_jobs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WAITING_JOBS", "2")

    async def three() -> None:
        number = declare(double)
        for _ in range(3):
            await enqueue(number, 1)

    with pytest.raises(TooManyJobs):
        run(three)


def test_final_jobs_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_JOBS", "2")

    async def three() -> None:
        number = declare(double)
        for argument in range(3):
            await enqueue(number, argument, idempotency_key=str(argument))

    assert [job.args for job in run(three)] == [[1], [2]]


def test_urgent_jobs_overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCURRENCY", "1")
    order = []

    async def note(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0.01)

    async def mixed() -> None:
        slow = declare(note)
        urgent = task(name="urgent", queue="urgent")(note)
        for name in ("first", "second"):
            await enqueue(slow, name)
        await enqueue(urgent, "urgent")

    run(mixed)
    assert order == ["first", "urgent", "second"]


def test_what_cannot_finish_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def one_runs_one_waits() -> None:
        slow = declare(sleep_on_the_loop)
        await enqueue(slow)
        await enqueue(slow, delay=timedelta(hours=1))
        await asyncio.sleep(0.05)

    jobs = run(one_runs_one_waits, drain_s=0.1)
    lost = {record.__dict__["job_id"] for record in caplog.records if record.message == "job lost at shutdown"}
    assert lost == {job.id for job in jobs}


def test_a_period_is_refused() -> None:
    declare(double, every=timedelta(hours=1))
    with pytest.raises(RuntimeError, match="double"):
        run(list_jobs)


def test_enqueue_outside_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="background_jobs"):
        asyncio.run(enqueue(declare(double), 1))


def test_a_function_in_a_thread_can_enqueue() -> None:
    number = declare(double)

    def enqueue_from_here() -> None:
        asyncio.run(enqueue(number, 4))

    assert [job.result for job in run(lambda: enqueue(declare(enqueue_from_here)))] == [None, 8]
