"""The books of a run: every accepted job is somewhere, and how it got there."""

import time
from collections import Counter
from collections.abc import Collection

from faults.outcome import Outcome
from faults.subject import Subject

RECORDED_WITHIN_S = 45  # longer than a lease, and a second run
MOST_EXCUSED = 3  # a kill meets few jobs in the moment between their end and their record
# Between the end of a function and its record; who dies there runs it again, which at-least-once allows.
RECORDING_S = 0.3


def wait_for_ends(subject: Subject, tokens: Collection[str], seconds: float) -> None:
    """Wait until each of these jobs noted its end, or the time is up; whoever checks the books says which.

    Then wait until nothing is left to do: an end that was not recorded shows only when its job has run again.
    """
    if subject.settle(lambda: subject.ended(tokens), seconds) and subject.keeps_records:
        subject.settle(lambda: not subject.unfinished(), RECORDED_WITHIN_S)


def check(subject: Subject, out: Outcome, tokens: Collection[str], crashes: Collection[float] = ()) -> None:
    """Note how many of these accepted jobs were lost, and how many finished twice.

    Args:
        subject: Whose ledger is read.
        out: Where to say it.
        tokens: Of the jobs.
        crashes: When a process died, on the ledger's clock; what ended right before may run again, counted apart.
    """
    ends = subject.ledger.count("end")
    lost = [token for token in tokens if not ends[token]]
    out.say(f"{len(lost)} of {len(tokens)} {subject.missing}", not lost)
    spans = [(crash_s - RECORDING_S, crash_s + RECORDING_S) for crash_s in crashes]
    _check_repeats(subject, out, {token for token in tokens if ends[token] > 1}, spans)


def check_starts(subject: Subject, out: Outcome, tokens: Collection[str]) -> None:
    """Note how often these jobs started."""
    starts = sum(subject.ledger.count("start")[token] for token in tokens)
    out.say(f"{starts} starts of {len(tokens)} jobs", starts == len(tokens))


def check_around(
    subject: Subject, out: Outcome, killed_s: float, unsure_s: float, late: Collection[str] = frozenset()
) -> None:
    """Check the books of all that was accepted, apart from what a kill may cost, which is counted by itself.

    Args:
        subject: Whose ledger is read.
        out: Where to say it.
        killed_s: The moment of the kill, on the ledger's clock.
        unsure_s: What ended so shortly before it may not have been recorded, and may run again.
        late: Tokens of the jobs that may be lost: accepted, and not yet on disk.
    """
    tokens = set(subject.accepted) - set(late)
    wait_for_ends(subject, tokens, 60)
    count = Counter(note.token for note in subject.ledger.notes("end") if note.token in subject.accepted)
    lost, lost_late = [[token for token in some if not count[token]] for some in (tokens, late)]
    out.say(f"{len(lost)} of {len(tokens)} {subject.missing}", not lost)
    if late:
        out.say(f"{len(lost_late)} of {len(late)} of the last second")
    twice = {token for token, runs in count.items() if runs > 1}
    _check_repeats(subject, out, twice, [(killed_s - unsure_s, killed_s + RECORDING_S)])


def _check_repeats(subject: Subject, out: Outcome, twice: set[str], unsure: Collection[tuple[float, float]]) -> None:
    """Note how many jobs finished twice, and apart from them those whose first end may not have been recorded."""
    excused = {
        note.token
        for note in subject.ledger.notes("end")
        if note.token in twice and any(start < note.at_s < end for start, end in unsure)
    }
    out.say(f"{len(twice - excused)} finished twice" if twice - excused else "none twice", not twice - excused)
    if excused:
        few = len(excused) <= MOST_EXCUSED * len(unsure)
        out.say(f"{len(excused)} ran again for want of a record", few or not subject.keeps_records)
    if subject.keeps_records and (left := subject.unfinished()):
        out.say(f"{left} records are not final", False)


def wait_for_dead_letters(subject: Subject, tokens: Collection[str], seconds: float) -> None:
    """Wait until each of these jobs was given up, or the time is up; whoever checks the books says which."""
    subject.settle(lambda: all(subject.record(token).get("state") == "failed" for token in tokens), seconds)


def check_dead_letters(subject: Subject, out: Outcome, tokens: Collection[str], reason: str, hooks: int = 1) -> None:
    """Note how many of these jobs are dead letters for this reason, and whether each called its hook as often."""
    if not subject.keeps_records:
        out.say("dead letters not offered")
        return
    records = [subject.record(token) for token in tokens]
    dead = [record for record in records if (record.get("state"), record.get("reason")) == ("failed", reason)]
    subject.settle(lambda: all(subject.ledger.count("dead")[token] >= hooks for token in tokens), 5)
    calls = subject.ledger.count("dead")
    out.say(f"{len(dead)} of {len(tokens)} dead letters ({reason})", len(dead) == len(tokens))
    if any(calls[token] != hooks for token in tokens):
        out.say(f"hook called {[calls[token] for token in tokens]} times", False)


def check_unharmed(subject: Subject, out: Outcome, tokens: Collection[str], crashes: Collection[float] = ()) -> None:
    """Note what became of the jobs that ran beside the culprits."""
    check(subject, out, tokens, crashes)
    dead = subject.ledger.count("dead")
    given_up = [token for token in tokens if dead[token]]
    if given_up:
        out.say(f"{len(given_up)} others given up", False)


def check_restarts(
    subject: Subject, out: Outcome, interrupted: Collection[str], since_s: float, within_s: float, up_s: float = 0
) -> None:
    """Note how soon the jobs that were interrupted at a moment started again.

    Args:
        subject: Whose ledger is read.
        out: Where to say it.
        interrupted: Tokens of the jobs.
        since_s: The moment, on the ledger's clock.
        within_s: What is promised, counted from that moment.
        up_s: Count from here instead: when a new worker was there to start them.
    """
    first: dict[str, float] = {}
    for note in subject.ledger.notes("start"):
        if note.at_s > since_s:
            first.setdefault(note.token, max(note.at_s - (up_s or since_s), 0))
    again = [first[token] for token in interrupted if token in first]
    never = len(interrupted) - len(again)
    if again:
        out.say(f"{len(again)} interrupted, again after {max(again):.0f} s", max(again) <= within_s)
    if never:
        out.say(f"{never} did not start again", False)


def now_s() -> float:
    """Return the clock that the ledger uses."""
    return time.monotonic()
