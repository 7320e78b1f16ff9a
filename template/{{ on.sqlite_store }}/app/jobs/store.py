"""The job store: job records in one SQLite file, one transaction a step.

The record is the truth about a job; a message on the broker only says that there is
something to look at. `schema.sql` holds the table.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic, time
from typing import Any, NamedTuple

from app.jobs.errors import TooManyJobs, Unavailable
from app.jobs.record import Job, JobState
from app.settings import Settings, get_settings

_SCHEMA = (Path(__file__).parent / "schema.sql").read_text()


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
    """Job records in SQLite; every method is safe to call from many processes at once."""

    def __init__(self, settings: Settings, *, patient: bool = False) -> None:
        """Open the file on first use.

        Args:
            settings: Path and limits.
            patient: Wait long for other writers (a worker must not lose what it finished)
                rather than fail soon (a caller of the API wants an answer).
        """
        self._settings = settings
        self._path = Path(settings.job_store_url.get_secret_value().removeprefix("sqlite:///"))
        self._timeout_s = 60.0 if patient else 1.5
        self._local = threading.local()
        self._forget_at = 0.0

    def add(
        self, job_id: str, task: str, queue: str, args: str, key: str, max_retries: int, delay_ms: int
    ) -> tuple[Job, bool]:
        """Record a job, unless its idempotency key is known.

        Returns:
            The job that now stands for the key, and whether it is new.

        Raises:
            TooManyJobs: As many jobs wait as `max_waiting_jobs` allows; nothing was recorded.
            Unavailable: The file cannot be written; nothing was recorded.
        """
        limit = self._settings.max_waiting_jobs
        with self._transaction() as db:
            known = db.execute("select * from job where task = ? and key = ?", (task, key or None)).fetchone()
            if known:
                return _job(known), False
            query = "select count(*) from job where state in ('queued', 'running', 'retrying')"
            (waiting,) = db.execute(query).fetchone()
            if waiting >= limit:
                raise TooManyJobs(f"{limit} jobs wait already", retry_after_s=30)
            now = time()
            timer, rung = (now + delay_ms / 1000, None) if delay_ms else (None, now)
            db.execute(
                "insert into job (id, task, queue, args, key, state, max_retries, timer, rung, created_at, changed_at)"
                " values (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                (job_id, task, queue, args, key or None, max_retries, timer, rung, now, now),
            )
            return _job(_record(db, job_id)), True

    def withdraw(self, job_id: str) -> bool:
        """Forget a job whose message could not be sent; False when a worker has it already."""
        with self._transaction() as db:
            query = "delete from job where id = ? and state = 'queued' and attempts = 0"
            return db.execute(query, (job_id,)).rowcount == 1

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None when it is unknown or past its retention."""
        with self._reading() as db:
            record = _record(db, job_id)
        return _job(record) if record else None

    def latest(self, state: JobState | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, the latest change first, of one state or of all."""
        query = "select * from job where ? is null or state = ? order by changed_at desc limit ?"
        with self._reading() as db:
            rows = db.execute(query, (state, state, limit)).fetchall()
        return [_job(row) for row in rows]

    def claim(self, job_id: str) -> Claim:
        """Take the job for this worker, if nobody holds it and it is due.

        The outcome is `claimed`, `lost` (every try died; it is now a dead letter), `unknown`,
        or the state that the job is in and stays in.
        """
        with self._transaction() as db:
            record, now = _record(db, job_id), time()
            if record is None:
                return Claim("unknown", None)
            # A timer in the future is a live lease, or a job that is not due yet.
            if JobState(record["state"]).final or (record["timer"] or 0) > now:
                return Claim(record["state"], None)
            if record["attempts"] > record["max_retries"]:
                _bury(db, record, now)
                return Claim("lost", _job(_record(db, job_id)))
            db.execute(
                "update job set state = 'running', attempts = attempts + 1, timer = ?, rung = null, progress = null,"
                " started_at = ?, changed_at = ? where id = ?",
                (now + self._settings.lease_s, now, now, job_id),
            )
            return Claim("claimed", _job(_record(db, job_id)))

    def renew(self, held: Iterable[tuple[str, int, float | None]]) -> list[str]:
        """Renew the leases of all jobs that run in this process, and pass their progress on.

        Args:
            held: Job id, attempt and progress (0 to 1) of each.

        Returns:
            For each, in order: `held`, `cancel` (somebody cancelled it) or `lost`.
        """
        answers = []
        with self._transaction() as db:
            for job_id, attempt, progress in held:
                row = db.execute(
                    "update job set timer = ?, progress = coalesce(?, progress)"
                    " where id = ? and state = 'running' and attempts = ? returning cancel",
                    (time() + self._settings.lease_s, progress, job_id, attempt),
                ).fetchone()
                answers.append("lost" if row is None else "cancel" if row["cancel"] else "held")
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
        with self._transaction() as db:
            record, now = _record(db, job.id), time()
            if not _owned(record, job):
                return False
            db.execute(
                "update job set result = ?, error = ?, reason = ?, progress = coalesce(?, progress) where id = ?",
                (result or None, error or None, reason or None, progress, job.id),
            )
            _close(db, record, state, now)
            _add(db, f"ms:{job.task}", int((now - record["started_at"]) * 1000))
            return True

    def retry(self, job: Job, *, delay_ms: int, error: str) -> bool:
        """Let the job run again after the delay; the try counts."""
        return self._put_back(job, JobState.RETRYING, job.attempts, delay_ms, error)

    def hand_back(self, job: Job) -> bool:
        """Let another worker run the job at once; the try does not count."""
        return self._put_back(job, JobState.QUEUED, job.attempts - 1, 0, None)

    def due(self, limit: int = 500) -> Due:
        """Move on what a crash left behind and what is due: jobs to ring for, and dead letters."""
        ring, dead = [], []
        if monotonic() >= self._forget_at:
            self._forget_at = monotonic() + 60
            self._forget_old()
        with self._reading() as db:
            (waiting,) = db.execute("select count(*) from job where timer <= ?", (time(),)).fetchone()
        if not waiting:
            return Due([], [], time())
        with self._transaction() as db:
            now = time()
            query = "select * from job where timer <= ? order by timer limit ?"
            for record in db.execute(query, (now, limit)).fetchall():
                if record["cancel"]:
                    _close(db, record, JobState.CANCELLED, now)
                elif record["state"] == "running" and record["attempts"] > record["max_retries"]:
                    _bury(db, record, now)
                    dead.append(record["id"])
                else:
                    db.execute(
                        "update job set state = 'queued', timer = null, rung = ?, changed_at = ? where id = ?",
                        (now, now, record["id"]),
                    )
                    ring.append((record["id"], record["task"]))
        return Due(ring, dead, now)

    def unheard(self, messages: int, limit: int = 500) -> list[tuple[str, str]]:
        """Return queued jobs (id, task) that the broker has no message for, the oldest first.

        Args:
            messages: How many messages the broker holds; a mere backlog is not lost.
            limit: How many to return at the most.
        """
        with self._transaction() as db:
            now = time()
            (waiting,) = db.execute("select count(*) from job where rung is not null").fetchone()
            query = "select id, task from job where rung <= ? order by rung limit ?"
            missing = max(min(waiting - messages, limit), 0)
            found = db.execute(query, (now - self._settings.lease_s, missing)).fetchall()
            db.executemany("update job set rung = ? where id = ?", [(now, row["id"]) for row in found])
            return [(row["id"], row["task"]) for row in found]

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a waiting job, ask a running one to stop, leave a final one alone."""
        with self._transaction() as db:
            record = _record(db, job_id)
            if record is not None and record["state"] in (JobState.QUEUED, JobState.RETRYING):
                _close(db, record, JobState.CANCELLED, time())
            db.execute("update job set cancel = 1 where id = ? and state = 'running'", (job_id,))
            return _job(_record(db, job_id)) if record else None

    def revive(self, job_id: str) -> Job | None:
        """Queue a dead letter again, with all its tries; leave any other job alone."""
        with self._transaction() as db:
            now = time()
            db.execute(
                "update job set state = 'queued', attempts = 0, timer = ?, cancel = 0, error = null, reason = null,"
                " finished_at = null, changed_at = ? where id = ? and state = 'failed'",
                (now, now, job_id),
            )
            record = _record(db, job_id)
        return _job(record) if record else None

    def count(self, *names: str) -> None:
        """Count events under these names for the metrics."""
        with self._transaction() as db:
            for name in names:
                _add(db, name, 1)

    def stats(self) -> dict[str, int]:
        """Return the counters, and `state:<state>` with the number of jobs in each state."""
        with self._reading() as db:
            counters = {row["name"]: row["value"] for row in db.execute("select name, value from stat")}
            query = "select state, count(*) as size from job group by state"
            sizes = {row["state"]: row["size"] for row in db.execute(query)}
        return counters | {f"state:{state}": sizes.get(state, 0) for state in JobState}

    def ping(self) -> None:
        """Raise `Unavailable` when the file cannot be read."""
        with self._reading() as db:
            db.execute("select 1 from job limit 1")

    def close(self) -> None:
        """Close the connection of this thread."""
        if hasattr(self._local, "db"):
            self._local.db.close()
            del self._local.db

    def _put_back(self, job: Job, state: JobState, attempts: int, delay_ms: int, error: str | None) -> bool:
        with self._transaction() as db:
            record, now = _record(db, job.id), time()
            if not _owned(record, job):
                return False
            if record["cancel"]:
                _close(db, record, JobState.CANCELLED, now)
                return True
            db.execute(
                "update job set state = ?, attempts = ?, timer = ?, error = coalesce(?, error), changed_at = ?"
                " where id = ?",
                (state, attempts, now + delay_ms / 1000, error, now, job.id),
            )
            return True

    def _forget_old(self) -> None:
        with self._transaction() as db:
            db.execute("delete from job where finished_at < ?", (time() - self._settings.retention_s,))

    @property
    def _db(self) -> sqlite3.Connection:
        """The connection of this thread."""
        if not hasattr(self._local, "db"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("pragma journal_mode = wal")
            # A committed record survives the loss of power, not only of the process.
            db.execute("pragma synchronous = full")
            db.executescript(_SCHEMA)
            self._local.db = db
        connection: sqlite3.Connection = self._local.db
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"The job store does not answer: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()


def _record(db: sqlite3.Connection, job_id: str) -> Any:
    return db.execute("select * from job where id = ?", (job_id,)).fetchone()


def _owned(record: Any, job: Job) -> bool:
    return record is not None and record["state"] == JobState.RUNNING and record["attempts"] == job.attempts


def _bury(db: sqlite3.Connection, record: Any, now: float) -> None:
    query = "update job set reason = 'worker_lost', error = 'The worker died during every try' where id = ?"
    db.execute(query, (record["id"],))
    _close(db, record, JobState.FAILED, now)


def _close(db: sqlite3.Connection, record: Any, state: JobState, now: float) -> None:
    query = "update job set state = ?, timer = null, rung = null, finished_at = ?, changed_at = ? where id = ?"
    db.execute(query, (state, now, now, record["id"]))
    _add(db, f"jobs:{record['task']}:{state}", 1)


def _add(db: sqlite3.Connection, name: str, amount: int) -> None:
    query = "insert into stat values (?, ?) on conflict (name) do update set value = value + excluded.value"
    db.execute(query, (name, amount))


def _job(record: Any) -> Job:
    fields = {name: value for name, value in dict(record).items() if value is not None}
    loaded = {name: json.loads(fields[name]) for name in ("args", "result") if name in fields}
    return Job.model_validate(fields | loaded)


@cache
def job_store(*, patient: bool = False) -> JobStore:
    """Return this process's job store."""
    return JobStore(get_settings(), patient=patient)
