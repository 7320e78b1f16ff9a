"""The job store: job records in Redis, one atomic script and one round trip a step.

The record is the truth about a job; a message on the broker only says that there is
something to look at. `lua/README.md` draws the keys.
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.commands.core import Script
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry

from app.jobs.errors import TooManyJobs, Unavailable
from app.jobs.record import OVERDUE_S, Job, JobState
from app.jobs.redis_url import redis_url
from app.jobs.threads import Once
from app.settings import Settings, get_settings

_LUA = Path(__file__).parent / "lua"
# With these, and as a replica, Redis answers that it cannot write now: as good as no answer.
_CANNOT_WRITE = ("MISCONF", "NOREPLICAS")
# The indexes of jobs, and the state of those they hold.
_INDEXES = {state.value: state for state in JobState} | {"delayed": JobState.QUEUED}


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
            redis_url(settings.job_store_url),
            decode_responses=True,
            socket_timeout=5 if patient else 1,
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=10,
            **_retries(patient),
        )
        self._local = threading.local()
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
            TooManyJobs: As many jobs wait as `max_waiting_jobs` or the memory allows; nothing was recorded.
            Unavailable: Redis does not answer.
        """
        limit = self._settings.max_waiting_jobs
        outcome, record = self.step("add", job_id, task, queue, args, key, max_retries, delay_ms, limit)
        if outcome == "full":
            raise TooManyJobs(record, retry_after_s=30)
        if outcome == "known":
            return to_job(record), False
        given = {"id": job_id, "task": task, "queue": queue, "args": args, "max_retries": max_retries}
        return to_job(given | {"state": JobState.QUEUED, "attempts": 0, "created_at": record}), True

    def withdraw(self, job_id: str) -> bool:
        """Forget a job whose message could not be sent; False when a worker has it, or a repeat was told of it."""
        return bool(self.step("withdraw", job_id))

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None when it is unknown or past its retention."""
        record = self._guard(lambda: self._redis.hgetall(self._key("job", job_id)))
        return to_job({"id": job_id} | record) if record else None

    def latest(self, state: JobState | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, the latest change first, of one state or of all."""
        indexes = [*_INDEXES] if state is None else [index for index, held in _INDEXES.items() if held == state]
        pipe = self._redis.pipeline(transaction=False)
        for index in indexes:
            pipe.zrevrange(self._key("state", index), 0, limit - 1, withscores=True)
        rows = sorted((row for found in self._guard(pipe.execute) for row in found), key=lambda row: -row[1])
        ids = [job_id for job_id, _ in rows[:limit]]
        for job_id in ids:
            pipe.hgetall(self._key("job", job_id))
        records = zip(ids, self._guard(pipe.execute), strict=True)
        return [to_job({"id": job_id} | record) for job_id, record in records if record]

    def claim(self, job_id: str) -> Claim:
        """Take the job for this worker, if it waits and is due.

        The outcome is `claimed`, `unknown`, or the state that the job is in and stays in. The metrics
        count all but the first as dropped. A running job is left alone also when its lease has run
        out: `due` moves it on, and not before those who run jobs had the time to renew.
        """
        outcome, record = self.step("claim", job_id, self._lease_ms, token_hex(8))
        return Claim(outcome, to_job(record) if record else None)

    def renew(self, held: Iterable[tuple[Job, float | None]]) -> list[str]:
        """Renew the leases of all jobs that run in this process, and pass their progress on.

        Args:
            held: Each job as it was claimed, and its progress (0 to 1).

        Returns:
            For each, in order: `held`, `cancel` (somebody cancelled it) or `lost`.
        """
        flat = [part for job, done in held for part in (job.id, job.claims, "" if done is None else done)]
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
        outcome = (state, result, error, reason, done)
        return bool(self.step("finish", job.id, job.claims, *outcome, self._retention_ms, token_hex(8)))

    def retry(self, job: Job, *, delay_ms: int, error: str) -> bool:
        """Let the job run again after the delay; the try counts."""
        return bool(self.step("put_back", job.id, job.claims, JobState.RETRYING, delay_ms, error, self._retention_ms))

    def hand_back(self, job: Job, *, delay_ms: int = 0) -> bool:
        """Let another worker run the job, by default at once; the try does not count."""
        return bool(self.step("put_back", job.id, job.claims, JobState.QUEUED, delay_ms, "", self._retention_ms))

    def due(self, limit: int = 500) -> Due:
        """Move on what a crash left behind and what is due: jobs to ring for, and dead letters."""
        self.ping()  # a Redis that stands still must not do this when it goes on: nobody would hear what it moved
        ring, dead, now_ms = self.step("due", limit, self._retention_ms, self._lease_ms)
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

    def stats(self) -> dict[str, int]:
        """Return the counters, and `state:<state>` with the number of jobs in each state.

        Of those that wait, jobs with a delay are `state:delayed`. `overdue` ones found no worker in time.
        """
        now_s, _ = self._guard(self._redis.time)
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(self._key("stats"))
        for index in _INDEXES:
            pipe.zcard(self._key("state", index))
        pipe.zcount(self._key("timers"), "-inf", (now_s - OVERDUE_S) * 1000)
        counters, *sizes, overdue = self._guard(pipe.execute)
        totals = {name: int(value) for name, value in counters.items()}
        totals |= {f"state:{index}": size for index, size in zip(_INDEXES, sizes, strict=True)}
        return totals | {"overdue": overdue}

    def step(self, name: str, *args: Any) -> Any:
        """Run the script of this name in `lua/`, whose first line says what it takes.

        Raises:
            Unavailable: Redis does not answer.
        """
        return self._guard(lambda: self._run(self._scripts[name], args))

    def ping(self) -> None:
        """Raise `Unavailable` when Redis does not answer."""
        self._guard(self._redis.ping)

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()

    def _run(self, script: Script, args: tuple[Any, ...]) -> Any:
        try:
            return self._ask("EVALSHA", script.sha, 1, self._prefix, *args)
        except NoScriptError:  # Redis has been started anew
            return self._ask("EVAL", script.script, 1, self._prefix, *args)

    def _ask(self, *command: Any) -> Any:
        """Ask on a connection of this thread's own: a client with its pool takes more than twice the time."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._redis.connection_pool.get_connection()
        connection = self._local.connection

        def ask() -> Any:
            connection.send_command(*command)
            try:
                return connection.read_response()
            except ResponseError as error:
                if isinstance(error, (ReadOnlyError, ClusterDownError)) or str(error).startswith(_CANNOT_WRITE):
                    raise ConnectionError(str(error)) from error
                raise

        return connection.retry.call_with_retry(ask, lambda _: connection.disconnect())

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


def _retries(patient: bool) -> dict[str, Any]:
    if patient:
        # A refused connection is a bare OSError to redis-py before version 6.
        errors = [ConnectionError, TimeoutError, OSError]
        return {"retry": Retry(ExponentialWithJitterBackoff(base=0.1, cap=2), retries=20), "retry_on_error": errors}
    # Once, because a connection that died while it was idle says nothing about Redis.
    once = Retry(NoBackoff(), retries=1, supported_errors=(ConnectionError,))
    return {"retry": once, "retry_on_error": [ConnectionError]}


def to_job(record: Mapping[str, Any] | Sequence[str]) -> Job:
    """Return the job of a record as Redis gives it."""
    fields = dict(record) if isinstance(record, Mapping) else dict(zip(record[::2], record[1::2], strict=True))
    times = {name: int(fields[name]) / 1000 for name in ("created_at", "started_at", "finished_at") if name in fields}
    loaded = {name: json.loads(fields[name]) for name in ("args", "result") if name in fields}
    return Job.model_validate(fields | times | loaded)


@Once
def job_store(*, patient: bool = False) -> JobStore:
    """Return this process's job store."""
    return JobStore(get_settings(), patient=patient)
