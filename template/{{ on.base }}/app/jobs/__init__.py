"""Background jobs: declare a task, enqueue it, ask what became of it.

Example:
    @task(name="invoices.send", max_retries=5, retry_on=(ConnectionError,))
    def send_invoice(order_id: int) -> str: ...

    job = await enqueue(send_invoice, 42)
"""

from app.jobs.client import cancel_job, get_job, job_stats, list_jobs, retry_job
from app.jobs.declare import Task, task
from app.jobs.enqueue import enqueue
from app.jobs.errors import JobCancelled, JobInterrupted, JobsError, TimeLimitExceeded, Unavailable
from app.jobs.progress import report_progress, this_job
from app.jobs.record import Job, JobState

__all__ = [
    "Job",
    "JobCancelled",
    "JobInterrupted",
    "JobState",
    "JobsError",
    "Task",
    "TimeLimitExceeded",
    "Unavailable",
    "cancel_job",
    "enqueue",
    "get_job",
    "job_stats",
    "list_jobs",
    "report_progress",
    "retry_job",
    "task",
    "this_job",
]
