"""The machine: everything that an API and two workers ask of a store, in any order, and time that passes."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stores.process import StoreProcess
from stores.promise import FINAL, LEASE_S, MOST_OPEN, RETENTION_S, STATES, UNSEEN_S, Held, Promise

API, *WORKERS = ALL = (0, 1, 2)
WALL_AHEAD_S = 1_700_000_000.0  # of the steady clock
SETTINGS = {"lease_s": LEASE_S, "retention_s": RETENTION_S, "max_waiting_jobs": MOST_OPEN}

processes, workers = st.sampled_from(ALL), st.sampled_from(WORKERS)
# One of the jobs that are open, or of the claims that hold one; more rarely another one.
which = st.tuples(st.sampled_from((True, True, True, False)), st.integers(0, MOST_OPEN - 1))
delays = st.sampled_from((0, 10))
waits = st.sampled_from((1, 5, 10, 10, LEASE_S, LEASE_S, LEASE_S + 1, LEASE_S + 1, 100, RETENTION_S + 1000))

Draws = st.SearchStrategy[Any]
# How often, what, and what with.
ON_JOBS: list[tuple[int, str, tuple[Draws, ...]]] = [
    (2, "add", (processes, st.sampled_from(("", "", "k")), st.integers(0, 2), delays)),
    (4, "claim", (which, workers)),
    (1, "claim_at_once", (which,)),
    (2, "cancel", (which,)),
    (1, "revive", (which,)),
    (1, "withdraw", (which,)),
    (2, "due", (workers,)),
    (2, "unheard", (workers, st.integers(0, 2), st.sampled_from((1, 500)))),
    (3, "wait", (waits,)),
    (2, "wait_and_look", (workers,)),
    (1, "set_wall_clock", (processes, st.sampled_from((-60.0, 0.0, 60.0)))),
]
ON_CLAIMS: list[tuple[int, str, tuple[Draws, ...]]] = [
    (2, "renew", (workers, st.sampled_from((None, 0.5)))),
    (2, "finish", (which, st.sampled_from(FINAL))),
    (2, "retry", (which, delays)),
    (3, "hand_back", (which,)),
    (1, "die", (workers,)),
]


def actions(table: list[tuple[int, str, tuple[Draws, ...]]]) -> Draws:
    """Return what draws the name of a method and its arguments."""
    return st.one_of([st.tuples(st.just(name), *args) for weight, name, args in table for _ in range(weight)])


class Store(NamedTuple):
    """A kind of store: a place for the next one, and the processes of the API and two workers."""

    kind: str
    next_url: Callable[[], str]
    processes: list[StoreProcess]


class StoreMachine(RuleBasedStateMachine):
    """One store from its first job on, beside the model of what it promises."""

    store: Store  # each test's own

    def __init__(self) -> None:
        super().__init__()
        self.promise = Promise(remote=self.store.kind == "redis")
        self.ids = (f"job{number}" for number in count())
        self.skews = dict.fromkeys(ALL, 0.0)
        self.held: list[Held] = []

    @initialize(retries=st.tuples(st.integers(0, 2), st.integers(0, 2)))
    def begin(self, retries: tuple[int, int]) -> None:
        url = self.store.next_url()
        if self.store.kind == "sqlite":
            self.set_clocks()  # before the store looks at it
        for process in self.store.processes:
            process.probe("open", url, SETTINGS)
        self.set_clocks()
        self.add(API, "k", retries[0], 0)
        self.add(API, "", retries[1], 0)

    # Two rules, not one for each action: an example leaves out half of its rules, and few jobs would live a whole life.
    @rule(action=actions(ON_JOBS))
    def happens(self, action: tuple[Any, ...]) -> None:
        name, *args = action
        getattr(self, name)(*args)

    @precondition(lambda self: self.held)
    @rule(action=actions(ON_CLAIMS + ON_JOBS))
    def happens_while_jobs_run(self, action: tuple[Any, ...]) -> None:
        self.happens(action)

    def add(self, who: int, key: str, retries: int, delay_s: int) -> None:
        job_id = next(self.ids)
        answer = self.call(who, "add", job_id, "t", "default", "[]", key, retries, delay_s * 1000)
        expected = self.promise.add(job_id, key, retries, delay_s, self.wall_s(who))
        if expected:
            assert (answer[0]["id"], answer[1]) == (expected, expected == job_id)
        else:
            assert answer == {"refused": "TooManyJobs"}

    def claim(self, one: tuple[bool, int], who: int) -> None:
        job_id = self.job(one)
        self.told(who, job_id, self.call(who, "claim", job_id))

    def claim_at_once(self, one: tuple[bool, int]) -> None:
        job_id = self.job(one)
        self.skews = dict.fromkeys(ALL, 0.0)
        self.set_clocks()
        for who in WORKERS:
            self.store.processes[who].ask("claim", job_id, {})
        answers = {who: self.store.processes[who].answer() for who in WORKERS}
        # The first one changed something; the other was told how things stood after that.
        for who in sorted(WORKERS, key=lambda who: answers[who][0] != "claimed"):
            self.told(WORKERS[0], job_id, answers[who])  # whoever it was: the example is to be the same again

    def renew(self, who: int, progress: float | None) -> None:
        mine = [held for held in self.held if held.worker == who]
        answers = self.call(who, "renew", [(held.job, progress) for held in mine])
        assert answers == [self.promise.renew(held) for held in mine]
        for held, answer in zip(mine, answers, strict=True):
            held.until_s = 0 if answer == "lost" else self.promise.now_s + LEASE_S

    def finish(self, one: tuple[bool, int], state: str) -> None:
        held = self.claimed(one)
        error = "" if state == "succeeded" else "broken"
        result = "7" if state == "succeeded" else ""
        done = self.call(held.worker, "finish", held.job, state, result=result, error=error, reason=error)
        assert done == self.promise.finish(held, state)
        self.over(held, done)
        if done:
            job = self.call(API, "get", held.job["id"])
            assert (job["state"], job["result"], job["error"]) == (state, 7 if result else None, error or None)

    def retry(self, one: tuple[bool, int], delay_s: int) -> None:
        held = self.claimed(one)
        if held.job["attempts"] > held.job["max_retries"]:
            return  # a worker makes it a dead letter instead
        done = self.call(held.worker, "retry", held.job, delay_ms=delay_s * 1000, error="broken")
        assert done == self.promise.put_back(held, "retrying", self.wall_s(held.worker) + delay_s)
        self.over(held, done)

    def hand_back(self, one: tuple[bool, int]) -> None:
        held = self.claimed(one)
        done = self.call(held.worker, "hand_back", held.job)
        assert done == self.promise.put_back(held, "queued", 0)
        self.over(held, done)

    def die(self, who: int) -> None:
        """A worker is gone with all it held; the next one in its place knows nothing."""
        self.held = [held for held in self.held if held.worker != who]
        self.store.processes[who].probe("reopen")

    def cancel(self, one: tuple[bool, int]) -> None:
        job_id = self.job(one)
        self.promise.cancel(job_id)
        self.shows(job_id, self.call(API, "cancel", job_id))

    def revive(self, one: tuple[bool, int]) -> None:
        job_id = self.job((False, one[1]))
        self.promise.revive(job_id)
        self.shows(job_id, self.call(API, "revive", job_id))

    def withdraw(self, one: tuple[bool, int]) -> None:
        job_id = self.job(one)
        entry = self.promise.jobs.get(job_id)
        if entry and entry.state == "queued" and entry.delayed:
            return  # nobody asks for that: its message was to come later
        done = self.promise.withdraw(job_id)
        assert self.call(API, "withdraw", job_id) == done

    def due(self, who: int) -> None:
        ring, dead, now_s = self.call(who, "due")
        assert ({job_id for job_id, _ in ring}, set(dead)) == self.promise.due(who, self.wall_s(who))
        assert now_s == self.wall_s(who)

    def unheard(self, who: int, messages: int, limit: int) -> None:
        found = [job_id for job_id, _ in self.call(who, "unheard", messages, limit)]
        expected = self.promise.unheard(messages, limit)
        # Those that have waited equally long may come in any order.
        assert [self.promise.jobs[job_id].rung_s for job_id in found] == [job.rung_s for job in expected]
        for job_id in found:
            self.promise.jobs[job_id].rung_s = self.promise.now_s

    def wait(self, seconds: int) -> None:
        self.promise.now_s += seconds
        self.set_clocks()
        if seconds > RETENTION_S:
            self.promise.forget_final()
            for who in WORKERS:
                self.due(who)

    def wait_and_look(self, who: int) -> None:
        """A worker looks all the time until a lease has run out, for which it is not patient then."""
        for _ in range(LEASE_S // UNSEEN_S + 1):
            self.wait(UNSEEN_S)
            self.due(who)

    def set_wall_clock(self, who: int, skew_s: float) -> None:
        """One process sees another time of the day; Redis has a clock of its own."""
        self.skews[who] = skew_s if self.store.kind == "sqlite" else 0.0
        self.set_clocks()

    @invariant()
    def the_books_are_those_of_the_model(self) -> None:
        entries, stats = self.store.processes[API].probe("books")
        jobs = self.promise.jobs.values()
        assert {entry["id"]: (entry["state"], entry["attempts"], entry["key"]) for entry in entries} == {
            job.id: (job.state, job.attempts, job.key) for job in jobs
        }
        states = ["delayed" if job.state == "queued" and job.due_s is not None else job.state for job in jobs]
        assert {name: size for name, size in stats.items() if name.startswith("state:")} == {
            f"state:{state}": states.count(state) for state in (*STATES, "delayed")
        }
        for entry in entries:
            self.check(entry)

    def check(self, entry: dict[str, Any]) -> None:
        """Check that a job is found where it has to be, and nowhere else."""
        final = entry["state"] in FINAL
        assert entry["attempts"] <= entry["max_retries"] + 1
        assert entry["indexes"] in ([entry["state"]], ["delayed"])
        assert entry["expires"] == final
        # Recovery finds every open job by its timer or as one that was rung for, and no final one.
        assert entry["timer"] + entry["rung"] == (not final)

    def job(self, one: tuple[bool, int]) -> str:
        """Return the id of an open job, or of a final one, or one that nobody knows."""
        is_open, number = one
        fitting = [job.id for job in self.promise.jobs.values() if is_open != (job.state in FINAL)]
        ids = fitting or list(self.promise.jobs) or ["unknown"]
        return ids[number % len(ids)]

    def claimed(self, one: tuple[bool, int]) -> Held:
        """Return a claim that holds its job, or one that was lost or used."""
        holds, number = one
        fitting = [held for held in self.held if holds == bool(self.promise.holds(held))] or self.held
        return fitting[number % len(fitting)]

    def told(self, who: int, job_id: str, answer: Any) -> None:
        """Check what a worker was told, and note what it was given."""
        outcome, job = answer
        assert outcome == self.promise.claim(job_id, self.wall_s(who))
        if outcome == "claimed":
            assert all(one.over or one.until_s <= self.promise.now_s for one in self.held if one.job["id"] == job_id)
            self.held.append(Held(who, job, self.promise.now_s + LEASE_S))

    def shows(self, job_id: str, job: Any) -> None:
        """Check what the API was shown after it had asked for a change."""
        entry = self.promise.jobs.get(job_id)
        assert (job and job["state"]) == (entry and entry.state)

    def over(self, held: Held, done: bool) -> None:
        """Note that a claim is used up; one that was lost may still be tried."""
        held.over = held.over or done

    def call(self, who: int, name: str, *args: Any, **named: Any) -> Any:
        return self.store.processes[who].call(name, *args, **named)

    def wall_s(self, who: int) -> float:
        ahead_s = WALL_AHEAD_S if self.store.kind == "sqlite" else 0.0
        return self.promise.now_s + ahead_s + self.skews[who]

    def set_clocks(self) -> None:
        for who in ALL if self.store.kind == "sqlite" else (API,):
            self.store.processes[who].probe("set_clock", self.promise.now_s, self.wall_s(who))
