"""What an outage must leave alone: an API that refuses in time, lives, tells its state, and recovers by itself."""

from collections import Counter
from typing import Any

from faults import books
from faults.outcome import Outcome
from faults.subject import Subject


def check_refusals(subject: Subject, out: Outcome, probe: str = "nap", *args: Any, away: bool = True) -> None:
    """Ask for twenty jobs at once: each is refused in time, and the API lives, not ready if a server is away."""
    answers, slowest_s = subject.place_at_once(20, probe, *(args or [0.1]))
    refused = [answer for answer in answers if answer.status == 503 and answer.headers.get("retry-after")]
    out.say(f"{len(refused)} of {len(answers)} refused within {slowest_s:.1f} s", refused == answers and slowest_s <= 2)
    if refused != answers:
        out.say(f"answered {dict(Counter(answer.status for answer in answers))}", False)
    alive, ready = (subject.call("GET", path).status for path in ("/livez", "/readyz"))
    if alive != 200 or (away and ready != 503):
        out.say(f"livez {alive}, readyz {ready}", False)


def check_recovery(subject: Subject, out: Outcome) -> None:
    """Wait until a job is accepted and done again, by the same processes."""
    back_s, tokens = books.now_s(), [""]

    def accepts() -> bool:
        tokens[0], _ = subject.place("nap", 0.1)
        return tokens[0] in subject.accepted

    again = subject.settle(accepts, 30) and subject.settle(lambda: subject.ended(tokens), 30)
    out.say(f"again after {books.now_s() - back_s:.0f} s" if again else "never again", again)
    if not subject.settle(lambda: subject.call("GET", "/readyz").status == 200, 10):
        out.say("not ready again", False)
    check_alive(subject, out)


def check_refused(subject: Subject, out: Outcome) -> None:
    """Note how many of the jobs that were refused ran all the same, once nothing is left to do."""
    subject.settle(lambda: not subject.unfinished(), books.RECORDED_WITHIN_S)
    ran = set(subject.refused) & set(subject.ledger.count("start"))
    if not subject.refused or ran:
        out.say(f"{len(ran)} of {len(subject.refused)} refused ones ran", False)


def check_alive(subject: Subject, out: Outcome) -> None:
    """Note it when API or worker are not the processes any more that they were."""
    gone = [process for process in (subject.api, *subject.workers) if process is None or process.poll() is not None]
    if gone:
        out.say(f"{len(gone)} processes ended", False)
