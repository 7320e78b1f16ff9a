"""Mix faults at random, then close the books: `make soak [SOAK_S=600] [AT_ONCE=2] [BACKEND=celery-redis]`."""

import os
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from random import Random, SystemRandom

from bgtasks.case import opened
from faults.books import now_s
from faults.cell import break_it
from faults.chaos import Chaos
from faults.outcome import Outcome, Scale, full
from faults.records import BUILD
from faults.side_by_side import asked_for, for_each
from faults.subject import Subject
from faults.table import Fault
from faults.traffic import DOOMED, Traffic
from service.caller import FINAL
from service.project import install, write_project
from service.variants import Variant

SOAK_S = float(os.environ.get("SOAK_S") or 600)
SEED = int(os.environ.get("FAULTS_SEED") or SystemRandom().randrange(10**6))
WORKERS = 2
DRAIN_S = 240
KNOWN = (*FINAL, "lost", "unknown")


def soak(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Let traffic flow while one fault follows the other, drain, and check that every accepted job is accounted for."""
    traffic = Traffic(subject, scale.random.getrandbits(32))
    chaos = Chaos(subject, traffic, Random(scale.random.getrandbits(32)))  # noqa: S311 - moments, not secrets
    for _ in range(WORKERS):
        subject.add_worker()
    until_s = now_s() + SOAK_S
    with traffic.flowing():
        while now_s() < until_s:
            time.sleep(chaos.random.uniform(1, 6))
            chaos.strike()
    (subject.folder / "chaos.txt").write_text("\n".join(chaos.log))
    states = drain(subject)
    say_totals(chaos, out)
    check_states(chaos, states, out)
    check_runs(chaos, states, out)


def drain(subject: Subject) -> dict[str, str]:
    """Wait until every accepted job is final or unknown, but not for ever; returns the state of each.

    A dead letter is `failed`, or `lost` if each of its tries lost its process.
    """
    states = dict.fromkeys(subject.accepted, "")
    deadline_s = now_s() + DRAIN_S
    with ThreadPoolExecutor(4) as threads:
        while left := [token for token, state in states.items() if state not in KNOWN]:
            states |= zip(
                left, threads.map(lambda token: state_of(subject, subject.accepted[token]), left), strict=True
            )
            if now_s() > deadline_s:
                break
            time.sleep(1)
    return states


def state_of(subject: Subject, job_id: str) -> str:
    """Return the state of a job, `unknown` when the API does not know it, `unanswered` when it says nothing."""
    try:
        answer = subject.call("GET", f"/jobs/{job_id}")
    except (OSError, HTTPException):
        return "unanswered"
    if answer.status == 404:
        return "unknown"
    crashed = answer.json.get("reason") == "worker_lost" and answer.json["attempts"] > answer.json["max_retries"]
    return "lost" if crashed else str(answer.json.get("state", "unanswered"))


def say_totals(chaos: Chaos, out: Outcome) -> None:
    """Say what was done, and what callers were told: nothing but yes and not now."""
    did = Counter(line.split()[1] for line in chaos.log)
    out.say(f"{len(chaos.log)} faults ({', '.join(f'{number} {name}' for name, number in sorted(did.items()))})")
    answers = chaos.traffic.answers
    strange = {status: number for status, number in answers.items() if status not in ("202", "503", "none")}
    out.say(f"{answers['202']} x 202, {answers['503']} x 503, {answers['none']} unanswered")
    if strange:
        out.say(f"also answered: {strange}", False)


def check_states(chaos: Chaos, states: dict[str, str], out: Outcome) -> None:
    """Check that accepted = succeeded + dead letters + cancelled, and that only jobs that fail are dead letters."""
    count = Counter(states.values())
    waiting = len(states) - sum(count[state] for state in KNOWN)
    out.say(
        f"accepted {len(states)} = {count['succeeded']} succeeded + {count['failed'] + count['lost']} dead letters"
        f" + {count['cancelled']} cancelled + {waiting} waiting",
        not waiting,
    )
    unknown = {token for token, state in states.items() if state == "unknown"}
    out.say(f"{len(unknown - chaos.late)} unknown", unknown <= chaos.late)
    if unknown & chaos.late:
        out.say(f"{len(unknown & chaos.late)} of {len(chaos.late)} accepted right before a kill of Redis unknown")
    kinds = chaos.traffic.kinds
    alive = [token for token, state in states.items() if state == "succeeded" and kinds[token] in DOOMED]
    out.say(f"{len(alive)} succeeded that cannot", False) if alive else None
    wrong = [token for token, state in states.items() if state == "failed" and kinds[token] not in DOOMED]
    out.say(f"{len(wrong)} sound jobs gave up", False) if wrong else None
    unlucky = [token for token, state in states.items() if state == "lost" and kinds[token] not in DOOMED]
    out.say(f"{len(unlucky)} sound jobs lost their process four times") if unlucky else None
    gone = [token for token, state in states.items() if state == "cancelled" and kinds[token] != "cancelled"]
    out.say(f"{len(gone)} cancelled that nobody had cancelled", False) if gone else None


def check_runs(chaos: Chaos, states: dict[str, str], out: Outcome) -> None:
    """Check by what the jobs noted that each one that succeeded ran, and that none finished twice for no reason."""
    ledger = chaos.subject.ledger
    first: dict[str, float] = {}
    for note in ledger.notes("end"):
        first.setdefault(note.token, note.at_s)
    idle = [token for token, state in states.items() if state == "succeeded" and token not in first]
    if idle:
        out.say(f"{len(idle)} succeeded without having run", False)
    crashes = [
        (note.at_s - 1, note.at_s + 0.1)
        for note in ledger.notes("start")
        if chaos.traffic.kinds.get(note.token) == "poison"
    ]
    twice = [token for token, runs in ledger.count("end").items() if runs > 1 and token in states]
    unexplained = [
        token for token in twice if not any(start < first[token] < end for start, end in (*chaos.shaky, *crashes))
    ]
    out.say(f"{len(twice) - len(unexplained)} finished again for want of a record")
    out.say(f"{len(unexplained)} finished twice for no reason", not unexplained)


SOAK = Fault("soak", soak, {"DRAIN_S": "4"})


def main() -> None:
    """Soak the backend that was asked for, or all of them."""
    print(f"seed {SEED}", flush=True)
    sys.exit(any(for_each(asked_for(), soak_one, SEED)))


def soak_one(variant: Variant, seed: int) -> bool:
    """Soak one backend, and say what came of it; returns whether it broke its promise."""
    folder = BUILD / f"soak-{variant}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with opened() as case:
        project = install(write_project(case, folder / "demo", backend=variant.backend, **variant.answers))
    out = Outcome()
    break_it("generated", variant, SOAK, project, folder, full(seed), out)
    print(f"{variant}: {out}{' BROKEN' if out.broken else ''}", flush=True)
    return bool(out.broken)


if __name__ == "__main__":
    main()
