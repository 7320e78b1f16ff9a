"""Hand a job over: the record first, then a message that carries its id."""

from datetime import timedelta
from typing import Any, ParamSpec

from app.jobs.broker import ring
from app.jobs.declare import Task
from app.jobs.record import Job, new_job_id
from app.jobs.store import job_store
from app.jobs.threads import in_thread

P = ParamSpec("P")


async def enqueue(
    task: Task[P, Any],
    *args: Any,
    idempotency_key: str | None = None,
    delay: timedelta = timedelta(0),
) -> Job:
    """Hand a job over to the workers; it runs at least once, also when this process dies now.

    Args:
        task: What to run.
        args: Its arguments, as JSON can carry them.
        idempotency_key: A repeat with the same key returns the first job, for as long as it is kept.
        delay: How long to wait before it may start.

    Raises:
        BadArguments: The arguments do not fit the function; nothing was recorded.
        TooManyJobs: As many jobs wait as the service accepts; nothing was recorded.
        Unavailable: Broker or job store do not answer in time. Call again: with the same idempotency key that
            is safe even if the job was recorded after all.
    """
    packed = task.pack(args)
    return await in_thread(_submit, task, packed, idempotency_key or "", int(delay.total_seconds() * 1000))


def _submit(task: Task[..., Any], packed: str, key: str, delay_ms: int) -> Job:
    store = job_store()
    job, new = store.add(new_job_id(), task.name, task.queue, packed, key, task.max_retries, delay_ms)
    if new and not delay_ms:
        try:
            ring(job.id, job.queue)
        except BaseException:
            # A repeat with the same key may have been told of it meanwhile: then it stays, and recovery rings for it.
            store.withdraw(job.id)
            raise
    return job
