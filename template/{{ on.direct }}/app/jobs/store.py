"""The job store: job records in the memory of this process, and gone with it.

Bounded on both sides: a job is refused while `max_waiting_jobs` are not final, and of the final
ones the last `kept_jobs` are remembered. Touched from the event loop only, so it needs no lock.
"""

from collections import Counter, OrderedDict, deque
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

from app.jobs.errors import TooManyJobs
from app.jobs.record import Job, JobState, new_job_id
from app.settings import Settings, get_settings


class JobStore:
    """Job records in memory, the latest change last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._final: deque[str] = deque()
        self._keys: dict[tuple[str, str], str] = {}
        self._key_of: dict[str, tuple[str, str]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, task: str, queue: str, args: list[Any], key: str | None, max_retries: int) -> tuple[Job, bool]:
        """Record a job, unless its idempotency key is known.

        Returns:
            The job that now stands for the key, and whether it is new.

        Raises:
            TooManyJobs: As many jobs wait as `max_waiting_jobs` allows; nothing was recorded.
        """
        if key is not None and (task, key) in self._keys:
            return self._jobs[self._keys[task, key]], False
        limit = self._settings.max_waiting_jobs
        if len(self._jobs) - len(self._final) >= limit:
            raise TooManyJobs(f"{limit} jobs wait already", retry_after_s=30)
        job = Job(
            id=new_job_id(),
            task=task,
            queue=queue,
            args=args,
            state=JobState.QUEUED,
            attempts=0,
            max_retries=max_retries,
            created_at=datetime.now(UTC),
        )
        self._jobs[job.id] = job
        if key is not None:
            self._keys[task, key] = job.id
            self._key_of[job.id] = task, key
        return job, True

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None when it is unknown or forgotten."""
        return self._jobs.get(job_id)

    def change(self, job_id: str, **changes: Any) -> Job:
        """Record the changes of a job that is not final, and return it as it is now."""
        job = self._jobs[job_id] = self._jobs[job_id].model_copy(update=changes)
        self._jobs.move_to_end(job_id)
        return job

    def finish(self, job_id: str, state: JobState, **changes: Any) -> Job:
        """Make the job final, and forget the oldest final ones above the bound."""
        now = datetime.now(UTC)
        job = self.change(job_id, state=state, finished_at=now, **changes)
        self._final.append(job_id)
        self._counts[f"jobs:{job.task}:{state}"] += 1
        if job.started_at is not None:
            self._counts[f"ms:{job.task}"] += round((now - job.started_at).total_seconds() * 1000)
        while len(self._final) > self._settings.kept_jobs:
            self._forget(self._final.popleft())
        return job

    def revive(self, job_id: str) -> Job:
        """Queue a final job again, with all its tries."""
        self._final.remove(job_id)
        return self.change(job_id, state=JobState.QUEUED, attempts=0, error=None, reason=None, finished_at=None)

    def latest(self, state: JobState | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, the latest change first, of one state or of all."""
        newest_first = reversed(self._jobs.values())
        return list(islice((job for job in newest_first if state in (None, job.state)), limit))

    def unfinished(self) -> list[Job]:
        """Return every job that is not final."""
        return [job for job in self._jobs.values() if not job.state.final]

    def stats(self) -> dict[str, int]:
        """Return the counters, and `state:<state>` with the number of jobs in each state."""
        sizes = Counter(f"state:{job.state}" for job in self._jobs.values())
        return dict(self._counts + sizes)

    def _forget(self, job_id: str) -> None:
        del self._jobs[job_id]
        if job_id in self._key_of:
            del self._keys[self._key_of.pop(job_id)]


@cache
def job_store() -> JobStore:
    """Return the job store of this process."""
    return JobStore(get_settings())
