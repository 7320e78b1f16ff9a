"""The job store: job records in Redis, one atomic script and one round trip a step.

The record is the truth about a job; a message on the broker only says that there is
something to look at. `lua/README.md` draws the keys.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.commands.core import Script
from redis.exceptions import ConnectionError, OutOfMemoryError, RedisError, TimeoutError
from redis.retry import Retry

from app.jobs.errors import TooManyJobs, Unavailable
from app.jobs.record import Job, JobState
from app.settings import Settings, get_settings

_LUA = Path(__file__).parent / "lua"


class Claim(NamedTuple):
    """The answer to a worker that heard of a job: the job, or why it must leave it alone."""

    outcome: str
    job: Job | None


class Due(NamedTuple):
    """What a look at the timers found: jobs to ring for (id, task), dead letters, and the time."""

    ring: list[tuple[str, str]]
    dead: list[str]
    now_s: float


class JobStore:
    """Job records in Redis; every method is safe to call from many processes at once."""

    def __init__(self, settings: Settings, *, patient: bool = False) -> None:
        """Connect on first use.

        Args:
            settings: URL, prefix and limits.
            patient: Wait out a broker that restarts (a worker must not lose what it finished)
                rather than fail at once (a caller of the API wants an answer).
        """
        self._prefix = f"{{{settings.service}}}"
        self._settings = settings
        self._redis: Redis = Redis.from_url(
            settings.job_store_url.get_secret_value(),
            decode_responses=True,
            socket_timeout=5 if patient else 1,
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=10,
            retry=_retry(patient),
            # A full Redis has room again once other jobs are done.
            # A refused connection is a bare OSError to redis-py before version 6.
            retry_on_error=[ConnectionError, TimeoutError, OutOfMemoryError, OSError],
        )
        prelude = "".join(path.read_text() for path in sorted(_LUA.glob("prelude*.lua")))
        self._scripts: dict[str, Script] = {
            path.stem: self._redis.register_script(prelude + path.read_text())
            for path in _LUA.glob("*.lua")
            if not path.stem.startswith("prelude")
        }

    def add(
        self, job_id: str, task: str, queue: str, args: str, key: str, max_retries: int, delay_ms: int
    ) -> tuple[Job, bool]:
        """Record a job, unless its idempotency key is known.

        Returns:
            The job that now stands for the key, and whether it is new.

        Raises:
            TooManyJobs: As many jobs wait as `max_waiting_jobs` allows; nothing was recorded.
            Unavailable: Redis does not answer, or is full; nothing was recorded.
        """
        limit = self._settings.max_waiting_jobs
        outcome, record = self.step(
            "add", job_id, task, queue, args, key, max_retries, delay_ms, limit, self._retention_ms
        )
        if outcome == "full":
            raise TooManyJobs(f"{limit} jobs wait already", retry_after_s=30)
        return to_job(record), outcome == "added"

    def withdraw(self, job_id: str) -> bool:
        """Forget a job whose message could not be sent; False when a worker has it already."""
        return bool(self.step("withdraw", job_id))

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None when it is unknown or past its retention."""
        record = self._guard(lambda: self._redis.hgetall(self._key("job", job_id)))
        return to_job(record) if record else None

    def latest(self, state: JobState | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, the latest change first, of one state or of all."""
        states = [state] if state else list(JobState)
        pipe = self._redis.pipeline(transaction=False)
        for one in states:
            pipe.zrevrange(self._key("state", one), 0, limit - 1, withscores=True)
        rows = sorted((row for found in self._guard(pipe.execute) for row in found), key=lambda row: -row[1])
        for job_id, _ in rows[:limit]:
            pipe.hgetall(self._key("job", job_id))
        return [to_job(record) for record in self._guard(pipe.execute) if record]

    def claim(self, job_id: str) -> Claim:
        """Take the job for this worker, if nobody holds it and it is due.

        The outcome is `claimed`, `lost` (every try died; it is now a dead letter), `unknown`,
        or the state that the job is in and stays in.
        """
        outcome, record = self.step("claim", job_id, self._lease_ms, self._retention_ms)
        return Claim(outcome, to_job(record) if record else None)

    def renew(self, held: Iterable[tuple[str, int, float | None]]) -> list[str]:
        """Renew the leases of all jobs that run in this process, and pass their progress on.

        Args:
            held: Job id, attempt and progress (0 to 1) of each.

        Returns:
            For each, in order: `held`, `cancel` (somebody cancelled it) or `lost`.
        """
        flat = [part for job_id, attempt, done in held for part in (job_id, attempt, "" if done is None else done)]
        answers: list[str] = self.step("renew", self._lease_ms, *flat)
        return answers

    def finish(
        self,
        job: Job,
        state: JobState,
        *,
        result: str = "",
        error: str = "",
        reason: str = "",
        progress: float | None = None,
    ) -> bool:
        """Make the job final, its result as JSON; False when its lease was lost and another worker decides."""
        done = "" if progress is None else progress
        return bool(self.step("finish", job.id, job.attempts, state, result, error, reason, done, self._retention_ms))

    def retry(self, job: Job, *, delay_ms: int, error: str) -> bool:
        """Let the job run again after the delay; the try counts."""
        return bool(self.step("put_back", job.id, job.attempts, JobState.RETRYING, delay_ms, error, self._retention_ms))

    def hand_back(self, job: Job) -> bool:
        """Let another worker run the job at once; the try does not count."""
        return bool(self.step("put_back", job.id, job.attempts, JobState.QUEUED, 0, "", self._retention_ms))

    def due(self, limit: int = 500) -> Due:
        """Move on what a crash left behind and what is due: jobs to ring for, and dead letters."""
        ring, dead, now_ms = self.step("due", limit, self._retention_ms)
        return Due(list(zip(ring[::2], ring[1::2], strict=True)), dead, now_ms / 1000)

    def unheard(self, messages: int, limit: int = 500) -> list[tuple[str, str]]:
        """Return queued jobs (id, task) that the broker has no message for, the oldest first.

        Args:
            messages: How many messages the broker holds; a mere backlog is not lost.
            limit: How many to return at the most.
        """
        found = self.step("unheard", messages, int(self._settings.lease_s * 1000), limit)
        return list(zip(found[::2], found[1::2], strict=True))

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a waiting job, ask a running one to stop, leave a final one alone."""
        record = self.step("cancel", job_id, self._retention_ms)
        return to_job(record) if record else None

    def revive(self, job_id: str) -> Job | None:
        """Queue a dead letter again, with all its tries; leave any other job alone."""
        record = self.step("revive", job_id)
        return to_job(record) if record else None

    def count(self, *names: str) -> None:
        """Count events under these names for the metrics."""
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hincrby(self._key("stats"), name, 1)
        self._guard(pipe.execute)

    def stats(self) -> dict[str, int]:
        """Return the counters, and `state:<state>` with the number of jobs in each state."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(self._key("stats"))
        for state in JobState:
            pipe.zcard(self._key("state", state))
        counters, *sizes = self._guard(pipe.execute)
        totals = {name: int(value) for name, value in counters.items()}
        return totals | {f"state:{state}": size for state, size in zip(JobState, sizes, strict=True)}

    def step(self, name: str, *args: Any) -> Any:
        """Run the script of this name in `lua/`, whose first line says what it takes.

        Raises:
            Unavailable: Redis does not answer, or is full.
        """
        return self._guard(lambda: self._scripts[name](keys=[self._prefix], args=args))

    def ping(self) -> None:
        """Raise `Unavailable` when Redis does not answer."""
        self._guard(self._redis.ping)

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()

    @property
    def _lease_ms(self) -> int:
        return int(self._settings.lease_s * 1000)

    @property
    def _retention_ms(self) -> int:
        return int(self._settings.retention_s * 1000)

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _guard(self, call: Any) -> Any:
        try:
            return call()
        except RedisError as error:
            raise Unavailable(f"The job store does not answer: {error}") from error


def _retry(patient: bool) -> Retry:
    if patient:
        return Retry(ExponentialWithJitterBackoff(base=0.1, cap=2), retries=20)
    return Retry(NoBackoff(), retries=0)


def to_job(record: Mapping[str, str] | Sequence[str]) -> Job:
    """Return the job of a record as Redis gives it."""
    fields = dict(record) if isinstance(record, Mapping) else dict(zip(record[::2], record[1::2], strict=True))
    times = {name: int(fields[name]) / 1000 for name in ("created_at", "started_at", "finished_at") if name in fields}
    loaded = {name: json.loads(fields[name]) for name in ("args", "result") if name in fields}
    return Job.model_validate(fields | times | loaded)


@cache
def job_store(*, patient: bool = False) -> JobStore:
    """Return this process's job store."""
    return JobStore(get_settings(), patient=patient)
