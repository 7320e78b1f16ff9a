"""Tasks that misbehave: they never end, keep memory, or take their process along."""

from itertools import pairwise

from faults import books
from faults.memory import Peak, limit_mb, own_settings
from faults.outcome import Outcome, Scale
from faults.subject import Subject

# Nothing but the end of the process reaches a call that sleeps in a thread, or a loop that is blocked.
TOLD = ["spin", "swallow", "async_sleep_on", "async_swallow"]
UNREACHED = ["sleep_on", "async_block"]
LEAK_MB = 50
CRASHES = [("crash", "exit"), ("crash_apart", "segfault")]
CRASH_STARTS = 3
HELD_UP_S = 30


def endless_task(subject: Subject, _: Scale, out: Outcome) -> None:
    """Run tasks that never end beside others that share their processes."""
    subject.add_worker()
    others = subject.place_many(3, "nap", 4) + subject.place_many(3, "async_nap", 4)
    endless = {probe: subject.place(probe)[0] for probe in TOLD + UNREACHED}
    others += subject.place_many(6, "nap", 0.2)
    books.wait_for_dead_letters(subject, endless.values(), 60)
    others += subject.place_many(8, "nap", 0.2)  # the worker goes on
    books.wait_for_ends(subject, others, 60)
    told = {note.token for note in subject.ledger.notes() if note.kind.startswith("raised:")}
    heard = [probe for probe in TOLD if endless[probe] in told]
    out.say(f"{len(heard)} of {len(TOLD)} told at the soft limit", len(heard) == len(TOLD))
    books.check_dead_letters(subject, out, endless.values(), "time_limit")
    books.check_unharmed(subject, out, others)


def leaking_task(subject: Subject, _: Scale, out: Outcome) -> None:
    """Leak 2 GB in forty calls, on a worker with the settings that its container is measured for."""
    worker = subject.add_worker(**own_settings(subject.project))
    with Peak(worker.pid) as peak:
        tokens = subject.place_many(40, "leak", LEAK_MB)
        books.wait_for_ends(subject, tokens, 60)
    limit = limit_mb(subject.project)
    out.say(f"peak {peak.mb:.0f} of {limit} MB", peak.mb < limit)
    books.check(subject, out, tokens)


def crashing_task(subject: Subject, _: Scale, out: Outcome) -> None:
    """Run tasks that end their process each time, beside others."""
    subject.add_worker()
    with subject.load(5, "nap", 0.3):
        crashing = [subject.place(probe, how)[0] for probe, how in CRASHES]
        subject.place_many(3, "nap", 3)
        books.wait_for_dead_letters(subject, crashing, 90)
    others = [token for token in subject.accepted if token not in crashing]
    books.wait_for_ends(subject, others, 60)
    starts = subject.ledger.count("start")
    most = max(starts[token] for token in crashing)
    out.say(f"{most} starts at the most", most <= CRASH_STARTS)
    if subject.keeps_records:  # a try may end before it has noted its start: with the process of the other one
        tries = [subject.record(token)["attempts"] for token in crashing]
        out.say(f"{' and '.join(map(str, tries))} tries", set(tries) == {CRASH_STARTS})
    books.check_dead_letters(subject, out, crashing, "worker_lost")
    notes = subject.ledger.notes()
    ends_s = [notes[0].at_s, *(note.at_s for note in notes if note.kind == "end" and note.token in others)]
    longest_s = max((after - before for before, after in pairwise(ends_s)), default=0)
    words = f"others held up for {longest_s:.0f} s at the most" if longest_s else "no other one ended"
    out.say(words, 0 < longest_s <= HELD_UP_S)
    crashes = [note.at_s for note in subject.ledger.notes("start") if note.token in crashing]
    books.check_unharmed(subject, out, others, crashes)
