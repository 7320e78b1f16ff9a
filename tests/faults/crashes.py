"""Processes die: workers and the API, killed, told to end, rolled under load."""

import signal
import time
from contextlib import suppress
from http.client import HTTPException

from faults import books
from faults.outcome import Outcome, Scale
from faults.subject import Subject

JOBS = 200
AT_ONCE = 8
LAST_S = 5  # what ends after its drain time was told to end by the container's runtime
LEAST_PER_S = 20


def killed_worker(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Kill the whole worker with eight jobs in flight of two hundred, and start another."""
    worker = subject.add_worker()
    tokens = subject.place_many(JOBS, "nap", 0.3)
    subject.until(lambda: len(subject.ledger.open()) >= AT_ONCE, "eight jobs in flight")
    time.sleep(scale.random.uniform(0, 0.5))
    subject.end(worker, signal.SIGKILL)
    killed_s, interrupted = books.now_s(), subject.ledger.open()
    subject.add_worker()
    books.wait_for_ends(subject, tokens, 60)
    books.check(subject, out, tokens, [killed_s])
    books.check_restarts(subject, out, interrupted, killed_s, 30)


def stopped_worker(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Tell a worker to end while jobs run that are shorter, and longer, than its grace period."""
    worker = subject.add_worker()
    long = [subject.place(probe, 12)[0] for probe in ("nap", "nap", "async_nap", "cpu_nap")]
    subject.until(lambda: set(long) <= subject.ledger.open(), "the long ones to start")
    short, waiting = subject.place_many(4, "nap", 1), subject.place_many(8, "nap", 0.2)
    subject.until(lambda: len(subject.ledger.open()) >= AT_ONCE, "eight jobs in flight")
    time.sleep(scale.random.uniform(0, 0.5))
    told_s = books.now_s()
    code = subject.end(worker, signal.SIGTERM)
    took_s = books.now_s() - told_s
    out.say(f"ended with {code} after {took_s:.0f} s", code == 0 and took_s <= float(subject.env["DRAIN_S"]) + LAST_S)
    out.say(f"{sum(subject.ended([one]) for one in short)} of 4 short ones finished", subject.ended(short))
    stopped_s = books.now_s()
    subject.add_worker()
    up_s = books.now_s()
    books.wait_for_ends(subject, short + long + waiting, 60)
    books.check(subject, out, short + long + waiting)
    books.check_restarts(subject, out, long, stopped_s, 5, up_s)


def rolled_with_term(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Replace the worker again and again, politely, under a steady load."""
    _roll(subject, scale, out, signal.SIGTERM)


def rolled_with_kill(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Replace the worker again and again, by force, under a steady load."""
    _roll(subject, scale, out, signal.SIGKILL)


def _roll(subject: Subject, scale: Scale, out: Outcome, signum: signal.Signals) -> None:
    worker = subject.add_worker()
    kills: list[float] = []
    began_s = books.now_s()
    with subject.load(25, "nap", 0.2):
        for number in range(1, scale.rolls + 1):
            subject.wait_for_load(scale.rolled_jobs * number // (scale.rolls + 1))
            time.sleep(scale.random.uniform(0, 1))
            if signum == signal.SIGKILL:
                kills.append(books.now_s())
            subject.end(worker, signum)
            worker = subject.add_worker()
        subject.wait_for_load(scale.rolled_jobs)
        rate = len(subject.accepted) / (books.now_s() - began_s)
    out.say(f"{rate:.0f} jobs/s", rate >= LEAST_PER_S or not scale.full)
    if subject.refused:
        out.say(f"{len(subject.refused)} refused", False)
    tokens = list(subject.accepted)
    books.wait_for_ends(subject, tokens, 60)
    books.check(subject, out, tokens, kills)


def killed_api(subject: Subject, _: Scale, out: Outcome) -> None:
    """Kill the API after it wrote the record of a job and before it sent the message."""
    subject.add_worker()
    dying = "t-dying"
    with suppress(OSError, HTTPException):  # nobody is left to answer
        subject.place("nap", 0.1, path="/dying", token=dying)
    died = subject.settle(lambda: subject.api is not None and subject.api.poll() == -signal.SIGKILL, 10)
    out.say("the API died" if died else "the API lives", died)
    ran = subject.settle(lambda: subject.ended([dying]), 60)
    out.say("the job ran" if ran else "the job never ran", ran)
