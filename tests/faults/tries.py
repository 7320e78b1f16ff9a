"""Jobs that are tried again: after errors, and by newer code than they were enqueued by."""

import signal
from itertools import pairwise

from faults import books
from faults.outcome import Outcome, Scale
from faults.subject import Subject

PAUSES_S = [1, 2, 4]
LATE_S = 5.0  # what the recovery loop, the broker and a busy machine may add


def failing_task(subject: Subject, _: Scale, out: Outcome) -> None:
    """Fail with an error that the task declares as worth a retry, and with one that it does not."""
    subject.add_worker()
    retried = subject.place_many(8, "fail", "connection")
    refused = subject.place_many(2, "fail", "value")
    books.wait_for_dead_letters(subject, retried + refused, 60)
    starts = subject.ledger.count("start")
    once = all(starts[token] == 1 for token in refused)
    out.say("ValueError tried once" if once else "ValueError tried again", once)
    _check_pauses(subject, out, retried)
    if subject.keeps_records:
        _check_jitter(subject, out)
    books.check_dead_letters(subject, out, retried + refused, "error")


def _check_pauses(subject: Subject, out: Outcome, tokens: list[str]) -> None:
    """Note the pauses: each between half of it and all of it, twice as long as the one before."""
    notes = subject.ledger.notes("start")
    pauses = [_pauses_s([note.at_s for note in notes if note.token == token]) for token in tokens]
    if any(len(one) != len(PAUSES_S) for one in pauses):
        out.say(f"{sorted({len(one) for one in pauses})} retries", False)
        return
    for longest_s, seen in zip(PAUSES_S, zip(*pauses, strict=True), strict=True):
        holds = longest_s / 2 <= min(seen) and max(seen) <= longest_s + LATE_S
        out.say(f"retry after {min(seen):.1f} to {max(seen):.1f} s", holds)


def _check_jitter(subject: Subject, out: Outcome) -> None:
    """Note how many of the chosen pauses differ; recovery spreads the starts anyway, so those would not show it."""
    chosen = {line["delay_s"] for line in subject.log("worker-0") if line["message"] == "job will be retried"}
    out.say(f"{len(chosen)} different pauses", len(chosen) > 2 * len(PAUSES_S))


def _pauses_s(starts: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(starts)]


def newer_code(subject: Subject, _: Scale, out: Outcome) -> None:
    """Run jobs on newer code, which has lost or changed their tasks; then bring the old code back."""
    fits = subject.place_many(2, "more", 0.1)
    changed = subject.place_many(2, "changed", 0.1)
    gone = subject.place_many(2, "gone", 0.1) + subject.place_many(1, "gone_with_its_lane", 0.1)
    worker = subject.add_worker(CODE="new")
    books.wait_for_dead_letters(subject, changed + gone, 60)
    books.wait_for_ends(subject, fits, 30)
    out.say("a default is enough" if subject.ended(fits) else "a default is not enough", subject.ended(fits))
    books.check_dead_letters(subject, out, changed, "bad_arguments")
    books.check_dead_letters(subject, out, gone, "unknown_task", hooks=0)
    subject.end(worker, signal.SIGTERM)
    subject.add_worker()
    for token in changed + gone:
        subject.call("POST", f"/jobs/{subject.accepted[token]}/retry")
    books.wait_for_ends(subject, changed + gone, 30)
    books.check(subject, out, fits + changed + gone)
