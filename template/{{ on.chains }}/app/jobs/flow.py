"""Flows: jobs that start when others have succeeded.

A job that waits gets what it waited for as its last argument: in a chain the result of the job
before it, after a fan-out the list of all results in their order. All jobs of a flow are recorded
in one atomic step and bear crashes as any other job does. With the last one called `<id>`, those
before it are `<id>-1`, `<id>-2` and so on.

A dead letter leaves the jobs after it waiting, until somebody retries it; a cancelled job cancels them,
and so does the end of the retention.

Example:
    await chain(Step(build_report, "2026-10", 500), Step(publish, "sales"))
    await chord([Step(build_report, month, 500) for month in months], Step(total_quarter, months))
"""

from collections.abc import Sequence
from typing import Any

from app.jobs.declare import Task
from app.jobs.errors import TooManyJobs
from app.jobs.record import Job, new_job_id
from app.jobs.store import job_store, to_job
from app.jobs.threads import in_thread
from app.settings import get_settings


class Step:
    """A task and its arguments, without the last one if the job waits for others."""

    def __init__(self, task: Task[..., Any], *args: Any) -> None:
        self.task = task
        self.args = args

    def fields(self, job_id: str, inputs: tuple[Any, ...], *links: str | int) -> list[str | int]:
        """Return what `flow.lua` records; `inputs` stands for the argument that is still to come."""
        packed = self.task.pack((*self.args, *inputs))
        return [job_id, self.task.name, self.task.queue, packed, self.task.max_retries, *links]


async def chain(first: Step, *rest: Step, idempotency_key: str | None = None) -> Job:
    """Run jobs one after the other, and return the last one.

    Raises:
        BadArguments: The arguments of a step do not fit its function; nothing was recorded.
        Unavailable: The job store does not answer, or too many jobs wait; nothing was recorded.
    """
    ids = _ids(len(rest))
    flow: list[str | int] = []
    for number, (step, job_id, follower) in enumerate(zip((first, *rest), ids, [*ids[1:], ""], strict=True)):
        waits = min(number, 1)
        flow += step.fields(job_id, (None,) * waits, follower, 1, waits, 0)
    return await in_thread(_record, flow, idempotency_key or "")


async def chord(header: Sequence[Step], callback: Step, *, idempotency_key: str | None = None) -> Job:
    """Run the jobs of the header side by side, then the callback with the list of their results.

    Returns the callback's job, and raises what `chain` raises.
    """
    *earlier, last = _ids(len(header))
    flow: list[str | int] = []
    for place, (step, job_id) in enumerate(zip(header, earlier, strict=True), start=1):
        flow += step.fields(job_id, (), last, place, 0, 0)
    flow += callback.fields(last, (None if header else [],), "", 0, len(header), 1)
    return await in_thread(_record, flow, idempotency_key or "")


def _ids(earlier: int) -> list[str]:
    last = new_job_id()
    return [*(f"{last}-{number}" for number in range(1, earlier + 1)), last]


def _record(flow: list[str | int], key: str) -> Job:
    settings = get_settings()
    limit, retention_ms = settings.max_waiting_jobs, int(settings.retention_s * 1000)
    # Nothing is rung for here: recovery does so within a second, also when there are thousands.
    outcome, record = job_store().step("flow", limit, retention_ms, key, *flow)
    if outcome == "full":
        raise TooManyJobs(record, retry_after_s=30)
    return to_job(record)
