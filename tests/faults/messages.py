"""Messages and workers that come more than once: repeats, garbage, keys, crowds, clocks, lanes, schedules, cancels."""

import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from faults import books
from faults.bare_subject import group_of
from faults.outcome import Outcome, Scale
from faults.subject import Subject
from service.clocks import wrong_clock

PERIOD_S = 5
HELD = 6  # each of so many processes may hold a message back that the broker no longer counts
REASONS = ("succeeded", "cancelled", "running", "unknown")


def strange_messages(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Ring again for jobs that run, are done, cancelled or unknown, out of order, and leave garbage."""
    subject.add_worker()
    done = subject.place_many(3, "nap", 0.1)
    subject.until(lambda: subject.ended(done), "three jobs to end")
    cancelled, _ = subject.place("nap", 0.1, path="?delay_s=3600")
    subject.call("DELETE", f"/jobs/{subject.accepted[cancelled]}")
    running = subject.place_many(2, "nap", 8)
    subject.until(lambda: set(running) <= subject.ledger.open(), "two jobs to run")
    ids = [subject.accepted[token] for token in (*done, cancelled, *running)] + ["nobody-knows-this-one"]
    for _ in range(2):
        scale.random.shuffle(ids)
        subject.send("ring", *ids)
    repeats = subject.settle(lambda: all(_dropped(subject)[why] for why in REASONS), 20)
    out.say("repeats dropped and counted" if repeats else f"dropped: {dict(_dropped(subject))}", repeats)
    time.sleep(1)
    before, left = _dropped(subject).total(), int(subject.send("garbage", subject.backend))
    garbled = subject.settle(lambda: _dropped(subject).total() - before >= left, 20)
    out.say(f"{_dropped(subject).total() - before:.0f} of {left} garbled ones", garbled)
    logged = {line.get("outcome") for line in subject.log("worker-0") if line["message"] == "message dropped"}
    out.say("each logged" if logged >= set(REASONS) else f"logged: {logged}", logged >= set(REASONS))
    after = subject.place_many(8, "nap", 0.1)
    books.wait_for_ends(subject, running + after, 20)
    books.check(subject, out, done + running + after)
    books.check_starts(subject, out, running)
    alive = subject.workers[0].poll() is None and not subject.ledger.count("start")[cancelled]
    out.say("the worker lives" if alive else "the worker ended, or ran what was cancelled", alive)


def repeated_key(subject: Subject, _: Scale, out: Outcome) -> None:
    """Enqueue with the same idempotency key seven times at once, and again when it is done."""
    subject.add_worker()
    token, key, apis = "one", "once", [subject, subject.second_api()]
    with ThreadPoolExecutor(7) as threads:
        calls = [threads.submit(apis[one % 2].place, "nap", 0.1, key=key, token=token) for one in range(7)]
    subject.until(lambda: subject.ended([token]), "the job to end")
    answers = [call.result()[1] for call in calls] + [subject.place("nap", 0.1, key=key, token=token)[1]]
    accepted, ids = [answer.status for answer in answers].count(202), {answer.json["id"] for answer in answers}
    out.say(f"{len(ids)} jobs for 8 calls, {accepted} times 202", (len(ids), accepted) == (1, 8))
    runs = subject.ledger.count("start")[token]
    out.say(f"{runs} runs", runs == 1)


def crowd(subject: Subject, _: Scale, out: Outcome) -> None:
    """Run three workers and two APIs at once; their backlog, older than a lease, is no lost messages."""
    subject.add_worker()
    subject.add_worker()
    subject.add_worker()
    other = subject.second_api()
    with ThreadPoolExecutor(2) as threads:
        halves = [threads.submit(api.place_many, 100, "nap", 1) for api in (subject, other)]
    tokens = [token for half in halves for token in half.result()]
    books.wait_for_ends(subject, tokens, 90)
    books.check(subject, out, tokens)
    books.check_starts(subject, out, tokens)
    rung = _logged(subject, "rung again") + _logged(subject, "jobs rung for")
    out.say(f"{rung} messages sent again", rung <= HELD)


def skewed_clock(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Give one of two workers a wall clock that is a minute off, one way or the other."""
    subject.add_worker()
    offset = scale.random.choice(["+60s", "-60s"])
    skewed = subject.add_worker(**wrong_clock(offset, subject.folder))
    long = subject.place_many(8, "nap", 9)  # longer than a lease
    tokens = subject.place_many(60, "nap", 0.2)
    books.wait_for_ends(subject, long + tokens, 60)
    books.check(subject, out, long + tokens)
    books.check_starts(subject, out, long + tokens)
    interrupted = subject.place_many(8, "nap", 2)
    subject.until(lambda: set(interrupted) <= set(subject.ledger.count("start")), "eight jobs to start")
    took_part = any(group_of(note.pid) == skewed.pid for note in subject.ledger.notes("start"))
    out.say(f"{offset}: it ran jobs" if took_part else f"{offset}: it ran nothing", took_part)
    subject.end(skewed, signal.SIGKILL)
    killed_s = books.now_s()
    books.wait_for_ends(subject, interrupted, 60)
    twice = [token for token in interrupted if subject.ledger.count("start")[token] > 1]
    if twice:
        books.check_restarts(subject, out, twice, killed_s, 30)
    books.check(subject, out, interrupted)


def urgent_lane(subject: Subject, _: Scale, out: Outcome) -> None:
    """Let 20 urgent jobs arrive behind 1000 that wait."""
    subject.place_many(1000, "nap", 0.02)
    subject.add_worker()
    subject.until(lambda: subject.ledger.count("end").total() > 20, "the first jobs to end")
    urgent = set(subject.place_many(20, "urgent_nap", 0.02))
    books.wait_for_ends(subject, list(subject.accepted), 120)
    order = [note.token for note in subject.ledger.notes("start")]
    behind = len([token for token in order[max(order.index(token) for token in urgent) :] if token not in urgent])
    out.say(f"all 20 started while {behind} of 1000 still waited", behind > 0)
    books.check(subject, out, list(subject.accepted))


def schedule(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Run a periodic task with three workers, take them all away for some periods, and bring one back."""
    workers = [subject.add_worker() for _ in range(3)]
    first, whole = _period() + 1, 3 if scale.full else 2
    subject.until(lambda: _period() == first + whole, "whole periods")
    for worker in workers:
        subject.end(worker, signal.SIGTERM)
    ended, counts = _period(), _ticks(subject)
    once = [number for number in range(first, first + whole) if counts[number] == 1]
    out.say(f"once in {len(once)} of {whole} periods", len(once) == whole)
    back = _back_early_in_a_period(subject, ended + 2)
    subject.until(lambda: _period() > back, "the end of that period")
    out.say(f"{_ticks(subject)[ended + 1]} while no worker was there", not _ticks(subject)[ended + 1])
    out.say(f"{_ticks(subject)[back]} to catch up", _ticks(subject)[back] == 1)


def _back_early_in_a_period(subject: Subject, number: int) -> int:
    """Start a worker so that it takes jobs before the period in which it was started is over; returns which that is."""
    for _ in range(5):
        time.sleep(max(number * PERIOD_S + 0.2 - time.time(), 0))
        worker = subject.add_worker()
        if not subject.keeps_records:  # the library has no period that it would have to catch up in
            return _period()
        if _period() == number and time.time() % PERIOD_S < PERIOD_S - 1:
            return number
        subject.end(worker, signal.SIGTERM)
        number = _period() + 1
    raise AssertionError(f"no worker takes jobs within {PERIOD_S - 1} s")


def _ticks(subject: Subject) -> Counter[int]:
    """Count the periodic jobs by the period in which they were enqueued; where nobody knows, in which they ran."""
    if not subject.keeps_records:
        offset_s = time.time() - time.monotonic()
        return Counter(int((note.at_s + offset_s) // PERIOD_S) for note in subject.ledger.notes("start"))
    jobs = subject.call("GET", "/jobs?limit=500").json
    created = [datetime.fromisoformat(job["created_at"]) for job in jobs if job["task"] == "probe.tick"]
    return Counter(int(at.timestamp() // PERIOD_S) for at in created)


def _period() -> int:
    return int(time.time() // PERIOD_S)


def cancelled_jobs(subject: Subject, _: Scale, out: Outcome) -> None:
    """Cancel jobs that wait, one with a delay, and some that run."""
    waiting = [*subject.place_many(3, "nap", 0.1), subject.place("nap", 0.1, path="?delay_s=2")[0]]
    _cancel(subject, waiting)
    running = [subject.place(probe)[0] for probe in ("stay", "async_stay", "compute")]
    subject.add_worker()
    subject.until(lambda: set(running) <= set(subject.ledger.count("start")), "the endless ones to start")
    _cancel(subject, running)
    ids = [subject.accepted[token] for token in waiting + running]
    ended = subject.settle(lambda: all(subject.job(one)["state"] == "cancelled" for one in ids), 20)
    out.say("all cancelled" if ended else "not all cancelled", ended)
    time.sleep(3)
    started = [token for token in waiting if subject.ledger.count("start")[token]]
    out.say(f"{len(started)} of {len(waiting)} waiting ones started", not started)
    raised = {note.token for note in subject.ledger.notes() if note.kind.startswith("raised:")}
    out.say(f"{len(raised)} of {len(running)} running ones got the signal", raised == set(running))


def _cancel(subject: Subject, tokens: list[str]) -> None:
    for token in tokens:
        subject.call("DELETE", f"/jobs/{subject.accepted[token]}")


def _dropped(subject: Subject) -> Counter[str]:
    """Return how many messages were dropped, by the state of their job."""
    text = subject.call("GET", "/metrics").body.decode()
    found = re.findall(r'^messages_dropped_total\{why="(\w+)"\} (\S+)', text, re.MULTILINE)
    return Counter({why: int(float(value)) for why, value in found})


def _logged(subject: Subject, words: str) -> int:
    return sum(log.read_text().count(words) for log in subject.folder.glob("worker-*.log"))
