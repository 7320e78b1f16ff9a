"""What a job store promises, in plain Python: one process, one clock, no storage."""

from dataclasses import dataclass
from typing import Any

LEASE_S = 15
RETENTION_S = 7 * 24 * 3600
# After a longer time in which nobody looked, leases that have run out may be renewed for so long.
UNSEEN_S = 5
PATIENCE_S = LEASE_S / 4 + 3
MOST_OPEN = 4
BEGIN_S = 1_000_000.0
FINAL = ("succeeded", "failed", "cancelled")
STATES = ("queued", "running", "retrying", *FINAL)


@dataclass
class Entry:
    """What is known of a job; None where a time means nothing. Leases and messages are on the steady clock."""

    id: str
    key: str
    max_retries: int
    state: str = "queued"
    attempts: int = 0
    claims: int = 0
    cancel: bool = False
    delayed: bool = False
    repeated: bool = False
    due_s: float | None = None
    lease_s: float | None = None
    rung_s: float | None = None


@dataclass
class Held:
    """A claim that somebody was given, and maybe lost since."""

    worker: int
    job: dict[str, Any]
    until_s: float
    over: bool = False


class Promise:
    """The jobs, as every store has to have them. `wall_s` is the wall clock of whoever calls."""

    def __init__(self, *, remote: bool) -> None:
        """Begin with no job. A `remote` store may stand still or be away, and its answers may be lost."""
        self.remote = remote
        # When each that looks for what is due did so, and when it was that nobody had for a while.
        self.looked_s: dict[int, float] = {}
        self.granted_s: dict[int, float] = {}
        self.now_s = BEGIN_S
        self.jobs: dict[str, Entry] = {}

    def open(self) -> list[Entry]:
        """Return the jobs that are not final."""
        return [job for job in self.jobs.values() if job.state not in FINAL]

    def add(self, job_id: str, key: str, max_retries: int, delay_s: float, wall_s: float) -> str:
        """Return the id of the job that now stands for the key, or nothing when too many are open."""
        for job in self.jobs.values():
            if key and job.key == key:
                job.repeated = True
                return job.id
        if len(self.open()) >= MOST_OPEN:
            return ""
        due_s, rung_s = (wall_s + delay_s, None) if delay_s else (None, self.now_s)
        self.jobs[job_id] = Entry(job_id, key, max_retries, delayed=bool(delay_s), due_s=due_s, rung_s=rung_s)
        return job_id

    def claim(self, job_id: str, wall_s: float) -> str:
        """Return what a worker that heard of the job is told."""
        job = self.jobs.get(job_id)
        if job is None:
            return "unknown"
        waits = job.due_s is not None and job.due_s > wall_s
        if job.state not in ("queued", "retrying") or waits:
            return job.state
        job.attempts, job.claims = job.attempts + 1, job.claims + 1
        job.state, job.lease_s, job.due_s, job.rung_s = "running", self.now_s + LEASE_S, None, None
        return "claimed"

    def holds(self, held: Held) -> Entry | None:
        """Return the job if this claim is the last one and nothing else has happened to it."""
        job = self.jobs.get(held.job["id"])
        return job if job and job.state == "running" and job.claims == held.job["claims"] else None

    def renew(self, held: Held) -> str:
        """Return what the keeper is told of one of its jobs."""
        job = self.holds(held)
        if job is None:
            return "lost"
        job.lease_s = self.now_s + LEASE_S
        return "cancel" if job.cancel else "held"

    def finish(self, held: Held, state: str) -> bool:
        """Return whether the outcome counts."""
        job = self.holds(held)
        return job is not None and bool(self._close(job, state))

    def put_back(self, held: Held, state: str, due_s: float) -> bool:
        """Return whether the job waits for another try; a hand-back does not count as one."""
        job = self.holds(held)
        if job is None:
            return False
        if job.cancel:
            return bool(self._close(job, "cancelled"))
        job.state, job.due_s, job.lease_s = state, due_s, None
        job.attempts -= state == "queued"
        return True

    def cancel(self, job_id: str) -> None:
        """Cancel what waits; a running job is asked to stop."""
        job = self.jobs.get(job_id)
        if job and job.state == "running":
            job.cancel = True
        elif job and job.state not in FINAL:
            self._close(job, "cancelled")

    def revive(self, job_id: str) -> None:
        """Queue a dead letter again."""
        job = self.jobs.get(job_id)
        if job and job.state == "failed":
            job.state, job.attempts, job.cancel, job.due_s = "queued", 0, False, 0

    def withdraw(self, job_id: str) -> bool:
        """Return whether a job that nobody has had is forgotten."""
        job = self.jobs.get(job_id)
        if job is None or job.state != "queued" or job.claims or job.repeated:
            return False
        del self.jobs[job_id]
        return True

    def due(self, who: int, wall_s: float) -> tuple[set[str], set[str]]:
        """Return the jobs to ring for, and those that are dead letters now; a remote store looks for everybody."""
        who = 0 if self.remote else who
        ring, dead = set(), set()
        first_s = 0 if self.remote else BEGIN_S
        unseen_s = self.now_s - self.looked_s.get(who, first_s)
        if unseen_s > UNSEEN_S and self.now_s - self.granted_s.get(who, 0) > LEASE_S:
            self.granted_s[who] = self.now_s
            for job in self.open():
                job.lease_s = job.lease_s and max(job.lease_s, self.now_s + PATIENCE_S)
        self.looked_s[who] = self.now_s
        for job in self.open():
            if not (_is_over(job.lease_s, self.now_s) or _is_over(job.due_s, wall_s)):
                continue
            if job.cancel:
                self._close(job, "cancelled")
            elif job.state == "running" and job.attempts > job.max_retries:
                self._close(job, "failed")
                dead.add(job.id)
            else:
                job.state, job.lease_s, job.due_s, job.rung_s = "queued", None, None, self.now_s
                ring.add(job.id)
        return ring, dead

    def unheard(self, messages: int, limit: int) -> list[Entry]:
        """Return who may be rung for again, the longest wait first; as many as messages are missing."""
        rung = sorted((job for job in self.open() if job.rung_s is not None), key=lambda job: job.rung_s or 0)
        missing = max(min(len(rung) - messages, limit), 0)
        return [job for job in rung if (job.rung_s or 0) <= self.now_s - LEASE_S][:missing]

    def forget_final(self) -> None:
        """Let the retention pass."""
        self.jobs = {job.id: job for job in self.open()}

    def _close(self, job: Entry, state: str) -> str:
        job.state, job.due_s, job.lease_s, job.rung_s = state, None, None, None
        return state


def _is_over(time_s: float | None, now_s: float) -> bool:
    return time_s is not None and time_s <= now_s
