"""What the API asks of jobs: those of this process, as far as it remembers them."""

from app.jobs.errors import Unavailable
from app.jobs.record import Job, JobState
from app.jobs.runner import open_runner
from app.jobs.store import job_store


async def get_job(job_id: str) -> Job | None:
    """Return the job, or None when it is unknown or forgotten."""
    job = job_store().get(job_id)
    return open_runner().as_it_stands(job) if job is not None else None


async def list_jobs(state: JobState | None = None, limit: int = 50) -> list[Job]:
    """Return up to `limit` jobs, the latest change first, of one state or of all."""
    return [open_runner().as_it_stands(job) for job in job_store().latest(state, limit)]


async def cancel_job(job_id: str) -> Job | None:
    """Cancel a waiting job or ask a running one to stop; None when it is unknown."""
    return open_runner().cancel(job_id)


async def retry_job(job_id: str) -> Job | None:
    """Queue a dead letter again; None when it is unknown."""
    return open_runner().retry(job_id)


async def job_stats() -> dict[str, int]:
    """Return the counters of the job store, for the metrics."""
    return open_runner().stats()


async def check_runner() -> None:
    """Raise `Unavailable` when this process takes no jobs any more."""
    if not open_runner().takes_jobs:
        raise Unavailable("This process shuts down")


# What `GET /readyz` asks.
CHECKS = {"jobs": check_runner}
