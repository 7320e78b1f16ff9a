"""The job store: job records in one SQLite file, one transaction a step.

The record is the truth about a job; a message on the broker only says that there is
something to look at. `schema.sql` holds the table. Leases run on the host's steady clock, which
all its processes share: a step of the wall clock neither breaks a lease nor holds one up.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from math import inf
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from app.jobs.errors import TooManyJobs, Unavailable
from app.jobs.record import OVERDUE_S, Job, JobState
from app.jobs.threads import Once
from app.settings import Settings, get_settings

_SCHEMA = (Path(__file__).parent / "schema.sql").read_text()
_LONG_ARGS = 1024
_FORGET_AT_ONCE = 1000
# Recovery looks every second: after a longer gap, it could not.
_UNSEEN_S = 5.0
# Beyond the time between two renewals: a tick of the keeper, a call that times out, and a second to spare.
_RENEWED_S = 3.0

P = ParamSpec("P")
R = TypeVar("R")


class Claim(NamedTuple):
    """The answer to a worker that heard of a job: the job, or why it must leave it alone."""

    outcome: str
    job: Job | None


class Due(NamedTuple):
    """What a look at the timers found: jobs to ring for (id, task), dead letters, and the time."""

    ring: list[tuple[str, str]]
    dead: list[str]
    now_s: float


def _wait_for_room(step: Callable[Concatenate["JobStore", P], R]) -> Callable[Concatenate["JobStore", P], R]:
    """Try a step again for as long as its store is patient: a full disk refuses at once what a locked file delays."""

    @wraps(step)
    def tried(store: "JobStore", /, *args: P.args, **kwargs: P.kwargs) -> R:
        deadline = monotonic() + store.patience_s
        while True:
            try:
                return step(store, *args, **kwargs)
            except Unavailable:
                if monotonic() >= deadline:
                    raise
                sleep(1)

    return tried


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
        self.patience_s = 60.0 if patient else 1.0
        self._local = threading.local()
        self._writing = threading.Lock()
        self._looked_at, self._granted_at = monotonic(), -inf
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
            query = "select * from job where task = ? and key = ?"
            if key and (known := db.execute(query, (task, key)).fetchone()):
                # Told to somebody else, a job that waits for its first try is not withdrawn any more.
                query = "update job set changed_at = created_at + 0.001 where id = ? and changed_at = created_at"
                db.execute(query, (known["id"],))
                return _job(known), False
            query = "select total(value) from stat where name in ('state:queued', 'state:running', 'state:retrying')"
            (waiting,) = db.execute(query).fetchone()
            if waiting >= limit:
                raise TooManyJobs(f"{limit} jobs wait already", retry_after_s=30)
            now = time()
            timer, rung = (now + delay_ms / 1000, None) if delay_ms else (None, monotonic())
            row = db.execute(
                "insert into job (id, task, queue, args, key, state, max_retries, timer, rung, created_at, changed_at)"
                " values (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?) returning *",
                (job_id, task, queue, args, key or None, max_retries, timer, rung, now, now),
            ).fetchone()
            return _job(row), True

    def withdraw(self, job_id: str) -> bool:
        """Forget a job whose message could not be sent; False when a worker has it, or a repeat was told of it."""
        with self._transaction() as db:
            query = "delete from job where id = ? and state = 'queued' and claims = 0 and changed_at = created_at"
            return db.execute(query, (job_id,)).rowcount == 1

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None when it is unknown or past its retention."""
        with self._reading() as db:
            record = _record(db, job_id)
        return _job(record) if record else None

    def latest(self, state: JobState | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, the latest change first, of one state or of all."""
        states = [state] if state else list(JobState)
        query = "select * from job where state = ? order by changed_at desc limit ?"
        with self._reading() as db:
            rows = [row for one in states for row in db.execute(query, (one, limit))]
        rows.sort(key=lambda row: row["changed_at"], reverse=True)
        return [_job(row) for row in rows[:limit]]

    @_wait_for_room
    def claim(self, job_id: str) -> Claim:
        """Take the job for this worker, if it waits and is due.

        The outcome is `claimed`, `unknown`, or the state that the job is in and stays in. The metrics
        count all but the first as dropped. A running job is left alone also when its lease has run
        out: `due` moves it on, and not before those who run jobs had the time to renew.
        """
        # A claim that is lost with the power leaves the job to be run again, which it is in any case.
        with self._transaction(synchronous="normal") as db:
            record, now = _record(db, job_id), time()
            state = "unknown" if record is None else record["state"]
            if state not in (JobState.QUEUED, JobState.RETRYING) or (record["timer"] or 0) > now:
                _add(db, f"dropped:{state}", 1)
                return Claim(state, None)
            row = db.execute(
                "update job set state = 'running', attempts = attempts + 1, claims = claims + 1, lease = ?,"
                " timer = null, rung = null, progress = null, started_at = ?, changed_at = ? where id = ? returning *",
                (monotonic() + self._settings.lease_s, now, now, job_id),
            ).fetchone()
            return Claim("claimed", _job(row))

    def renew(self, held: Iterable[tuple[Job, float | None]]) -> list[str]:
        """Renew the leases of all jobs that run in this process, and pass their progress on.

        Args:
            held: Each job as it was claimed, and its progress (0 to 1).

        Returns:
            For each, in order: `held`, `cancel` (somebody cancelled it) or `lost`.
        """
        answers = []
        with self._transaction() as db:
            for job, progress in held:
                row = db.execute(
                    "update job set lease = ?, progress = coalesce(?, progress)"
                    " where id = ? and state = 'running' and claims = ? returning cancel",
                    (monotonic() + self._settings.lease_s, progress, job.id, job.claims),
                ).fetchone()
                answers.append("lost" if row is None else "cancel" if row["cancel"] else "held")
        return answers

    @_wait_for_room
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
            done = record["progress"] if progress is None else progress
            _close(
                db, record, state, now, result=result or None, error=error or None, reason=reason or None, progress=done
            )
            _add(db, f"ms:{job.task}", int((now - record["started_at"]) * 1000))
            return True

    def retry(self, job: Job, *, delay_ms: int, error: str) -> bool:
        """Let the job run again after the delay; the try counts."""
        return self._put_back(job, JobState.RETRYING, job.attempts, time() + delay_ms / 1000, error)

    def hand_back(self, job: Job, *, delay_ms: int = 0) -> bool:
        """Let another worker run the job, by default at once; the try does not count."""
        timer = time() + delay_ms / 1000 if delay_ms else 0.0
        return self._put_back(job, JobState.QUEUED, job.attempts - 1, timer, None)

    def due(self, limit: int = 500) -> Due:
        """Move on what a crash left behind and what is due: jobs to ring for, and dead letters."""
        ring, dead = [], []
        self.ping()  # raises while the file is locked, also when there is nothing to write
        self._grant_time()
        if monotonic() >= self._forget_at:
            self._forget_at = monotonic() + 60
            self._forget_old()
        with self._reading() as db:
            if not self._come(db, 1):
                return Due([], [], time())
        with self._transaction() as db:
            now, tick = time(), monotonic()
            for record in self._come(db, limit):
                if record["cancel"]:
                    _close(db, record, JobState.CANCELLED, now)
                elif record["state"] == "running" and record["attempts"] > record["max_retries"]:
                    _bury(db, record, now)
                    dead.append(record["id"])
                else:
                    db.execute(
                        "update job set state = 'queued', timer = null, lease = null, rung = ?, changed_at = ?"
                        " where id = ?",
                        (tick, now, record["id"]),
                    )
                    ring.append((record["id"], record["task"]))
        return Due(ring, dead, now)

    def unheard(self, messages: int, limit: int = 500) -> list[tuple[str, str]]:
        """Return queued jobs (id, task) that the broker has no message for, the oldest first.

        Args:
            messages: How many messages the broker holds; a mere backlog is not lost.
            limit: How many to return at the most.
        """
        with self._reading() as db:
            (waiting,) = db.execute("select count(*) from job where rung is not null").fetchone()
        missing = min(waiting - messages, limit)
        if missing <= 0:
            return []
        with self._transaction() as db:
            tick = monotonic()
            # In the order of the index: a sort would read the whole backlog.
            query = "select id, task from job where rung <= ? or rung > ? limit ?"
            found = db.execute(query, (tick - self._settings.lease_s, tick, missing)).fetchall()
            db.executemany("update job set rung = ? where id = ?", [(tick, row["id"]) for row in found])
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
            db.execute(
                "update job set state = 'queued', attempts = 0, timer = 0, cancel = 0, error = null, reason = null,"
                " finished_at = null, changed_at = ? where id = ? and state = 'failed'",
                (time(), job_id),
            )
            record = _record(db, job_id)
        return _job(record) if record else None

    def stats(self) -> dict[str, int]:
        """Return the counters, and `state:<state>` with the number of jobs in each state.

        Of those that wait, jobs with a delay are `state:delayed`. `overdue` ones found no worker in time.
        """
        with self._reading() as db:
            query = (
                "select name, value from stat"
                " union all select 'state:delayed', count(*) from job where timer is not null and state = 'queued'"
                " union all select 'overdue', count(*) from job where timer < ? or lease < ? or lease > ?"
            )
            tick = monotonic()
            late = (time() - OVERDUE_S, tick - OVERDUE_S, tick + self._settings.lease_s)
            counters = dict(db.execute(query, late).fetchall())
        totals = {f"state:{state}": 0 for state in JobState} | counters
        totals["state:queued"] -= totals["state:delayed"]
        return totals

    def ping(self) -> None:
        """Raise `Unavailable` when the file cannot be written: reading alone works also while it is locked."""
        with self._transaction():
            pass

    def close(self) -> None:
        """Close the connection of this thread."""
        if hasattr(self._local, "db"):
            self._local.db.close()
            del self._local.db

    @_wait_for_room
    def _put_back(self, job: Job, state: JobState, attempts: int, timer: float, error: str | None) -> bool:
        with self._transaction() as db:
            record, now = _record(db, job.id), time()
            if not _owned(record, job):
                return False
            if record["cancel"]:
                _close(db, record, JobState.CANCELLED, now)
                return True
            db.execute(
                "update job set state = ?, attempts = ?, timer = ?, lease = null, error = coalesce(?, error),"
                " changed_at = ? where id = ?",
                (state, attempts, timer, error, now, job.id),
            )
            return True

    def _come(self, db: sqlite3.Connection, limit: int) -> list[Any]:
        """Return up to `limit` records whose time has come: leases that ran out, then what is due."""
        # A lease that ends later than one taken now is from before the host was started.
        query = "select * from job where lease <= :tick or lease > :latest or timer <= :now limit :limit"
        tick = monotonic()
        times = {"tick": tick, "latest": tick + self._settings.lease_s, "now": time()}
        return db.execute(query, times | {"limit": limit}).fetchall()

    def _grant_time(self) -> None:
        """After a time in which this could not look, let those who run jobs come to renew their leases first.

        There was an outage, and jobs that are fine may have lost their leases. It is not granted again and again.
        """
        tick, lease_s = monotonic(), self._settings.lease_s
        if tick - self._looked_at > _UNSEEN_S and tick - self._granted_at > lease_s:
            with self._transaction() as db:
                until = tick + min(lease_s, lease_s / 4 + _RENEWED_S)
                db.execute("update job set lease = ? where state = 'running' and lease < ?", (until, until))
            self._granted_at = tick
        self._looked_at = tick

    def _forget_old(self) -> None:
        with self._transaction() as db:
            final = f"state in ('succeeded', 'failed', 'cancelled') and changed_at < ? limit {_FORGET_AT_ONCE}"
            query = f"delete from job where id in (select id from job where {final})"  # noqa: S608 - our own words
            if db.execute(query, (time() - self._settings.retention_s,)).rowcount == _FORGET_AT_ONCE:
                self._forget_at = 0.0  # there are more

    @property
    def _db(self) -> sqlite3.Connection:
        """The connection of this thread."""
        if not hasattr(self._local, "db"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=self.patience_s, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("pragma journal_mode = wal")
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
    def _transaction(self, *, synchronous: str = "full") -> Iterator[sqlite3.Connection]:
        # SQLite lets who finds the file locked sleep and try again: threads that wait in line here take a tenth.
        with self._writing, self._reading() as db:
            # In full, what was committed survives the loss of power, not only of the process.
            db.execute(f"pragma synchronous = {synchronous}")
            db.execute("begin immediate")
            try:
                yield db
                db.commit()
            except BaseException:
                db.rollback()
                raise


def _record(db: sqlite3.Connection, job_id: str) -> Any:
    return db.execute("select * from job where id = ?", (job_id,)).fetchone()


def _owned(record: Any, job: Job) -> bool:
    return record is not None and record["state"] == JobState.RUNNING and record["claims"] == job.claims


def _bury(db: sqlite3.Connection, record: Any, now: float) -> None:
    _close(db, record, JobState.FAILED, now, reason="worker_lost", error="The worker died during every try")


def _close(db: sqlite3.Connection, record: Any, state: JobState, now: float, **outcome: str | float | None) -> None:
    outcome |= {"state": state, "timer": None, "lease": None, "rung": None, "finished_at": now, "changed_at": now}
    # Long arguments would take room for the whole retention; only a dead letter can need them again.
    if state != JobState.FAILED and len(record["args"]) > _LONG_ARGS:
        outcome["args"] = "[]"
    changes = ", ".join(f"{name} = ?" for name in outcome)
    db.execute(f"update job set {changes} where id = ?", (*outcome.values(), record["id"]))  # noqa: S608 - our own words
    _add(db, f"jobs:{record['task']}:{state}", 1)


def _add(db: sqlite3.Connection, name: str, amount: int) -> None:
    query = "insert into stat values (?, ?) on conflict (name) do update set value = value + excluded.value"
    db.execute(query, (name, amount))


def _job(record: Any) -> Job:
    fields = {name: value for name, value in dict(record).items() if value is not None}
    loaded = {name: json.loads(fields[name]) for name in ("args", "result") if name in fields}
    return Job.model_validate(fields | loaded)


@Once
def job_store(*, patient: bool = False) -> JobStore:
    """Return this process's job store."""
    return JobStore(get_settings(), patient=patient)
