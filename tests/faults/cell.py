"""One cell of the table: one fault, done to one subject, and what came of it."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.bare_subject import BareSubject, NotOffered, bare_project
from faults.outcome import Outcome, Scale
from faults.subject import Subject, with_probes
from faults.table import Fault
from service.project import Project
from service.running import running_as
from service.variants import Variant

KINDS: dict[str, type[Subject]] = {"bare": BareSubject, "generated": Subject}
BOUND_S = 900


class TookTooLong(Exception):  # noqa: N818 - it is an answer, not a failure
    """A cell did not come to its end."""


def break_it(
    kind: str, variant: Variant, fault: Fault, project: Project, folder: Path, scale: Scale, out: Outcome
) -> None:
    """Do a fault to a service of its own, in an empty folder."""
    probed = with_probes(project, folder) if kind == "generated" else bare_project(project, variant.backend, folder)
    settings = slots(variant) | {"LEDGER": f"{folder}/ledger", "SOFT_LIMIT_S": "120"} | dict(fault.settings)
    with running_as(KINDS[kind], probed, variant.broker, folder, **settings) as subject:
        subject.backend = variant.backend
        subject.start_api()
        fault.run(subject, scale, out)


def slots(variant: Variant) -> dict[str, str]:
    """Return the settings under which a worker runs eight jobs at once."""
    if variant.backend == "celery":
        return {"WORKER_PROCESSES": "8"}
    return {"WORKER_PROCESSES": "2", "WORKER_THREADS": "4"}


def examine(kind: str, variant: Variant, fault: Fault, project: Project, folder: Path, scale: Scale) -> Outcome:
    """Do the same, and put into words whatever ended it early."""
    out = Outcome()
    try:
        with bounded(BOUND_S):
            break_it(kind, variant, fault, project, folder, scale, out)
    except NotOffered as what:
        out.say(f"not offered: {what}")
    except TookTooLong:
        out.say(f"no end after {BOUND_S // 60} minutes", False)
    except Exception as error:  # noqa: BLE001 - whatever a broken service does to the driver is a result as well
        (folder / "driver.log").write_text(traceback.format_exc())
        words = str(error).partition("\n")[0] or type(error).__name__
        out.say(f"{words[0].lower()}{words[1:]}", False)
    return out


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in the block when the time is up, and again while something in it holds that back."""

    def ring(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
