"""What the API asks of jobs, from the event loop."""

from app.jobs.broker import ping_broker
from app.jobs.record import Job, JobState
from app.jobs.store import job_store
from app.jobs.threads import in_thread


async def get_job(job_id: str) -> Job | None:
    """Return the job, or None when it is unknown or past its retention."""
    return await in_thread(job_store().get, job_id)


async def list_jobs(state: JobState | None = None, limit: int = 50) -> list[Job]:
    """Return up to `limit` jobs, the latest change first, of one state or of all."""
    return await in_thread(job_store().latest, state, limit)


async def cancel_job(job_id: str) -> Job | None:
    """Cancel a waiting job or ask a running one to stop; None when it is unknown."""
    return await in_thread(job_store().cancel, job_id)


async def retry_job(job_id: str) -> Job | None:
    """Queue a dead letter again; None when it is unknown."""
    return await in_thread(job_store().revive, job_id)


async def job_stats() -> dict[str, int]:
    """Return the counters of the job store, for the metrics."""
    return await in_thread(job_store().stats)


async def check_broker() -> None:
    """Raise `Unavailable` when the broker does not answer."""
    await in_thread(ping_broker)


async def check_job_store() -> None:
    """Raise `Unavailable` when the job store does not answer."""
    await in_thread(job_store().ping)


# What `GET /readyz` asks.
CHECKS = {"broker": check_broker, "job_store": check_job_store}
