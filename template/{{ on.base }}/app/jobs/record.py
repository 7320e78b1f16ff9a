"""The job record: what is known of one enqueued run of a task."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

# Workers look every second for jobs whose delay, pause or lease has ended: none waits so long while one lives.
OVERDUE_S = 60.0


class JobState(StrEnum):
    """Where a job is; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(BaseModel):
    """One enqueued run of a task, as its record stood when it was read."""

    model_config = ConfigDict(frozen=True)

    id: str
    task: str
    queue: str
    # A queue forgets more than 1 kB of them once the job can never run again.
    args: list[Any] = []
    state: JobState
    attempts: int
    max_retries: int
    # Counts every claim, also of a try that was handed back: whoever has the last one holds the job.
    claims: int = Field(default=0, exclude=True)
    progress: float | None = None
    result: Any = None
    error: str | None = None
    reason: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


def new_job_id() -> str:
    """Return an id that nobody can guess."""
    return uuid4().hex
