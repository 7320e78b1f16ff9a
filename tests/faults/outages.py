"""The servers fail: killed and brought back, not there at the start, gone, or standing still.

SQLite has no server: there all processes die at once, the directory is missing, and the files are locked.
"""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from faults import books, checks
from faults.outcome import Outcome, Scale
from faults.subject import Subject
from service.brokers import Server

# With `appendfsync everysec`, Redis may have answered what it has not written for so long.
EVERYSEC_S = 2.0


def killed_broker(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Kill the broker under load, and bring it back."""
    _kill_server(subject, scale, out, subject.broker)


def killed_store(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Kill the Redis of the job store under load, and bring it back."""
    _kill_server(subject, scale, out, "redis")


def broker_away(subject: Subject, _: Scale, out: Outcome) -> None:
    """Start the service without its broker, and take it away once more while the service runs."""
    _go_without(subject, out, subject.broker)


def store_away(subject: Subject, _: Scale, out: Outcome) -> None:
    """Start the service without the Redis of its job store, and take it away once more while it runs."""
    _go_without(subject, out, "redis")


def broker_hangs(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Let the broker stand still while jobs run."""
    _hang(subject, scale, out, _stopped(subject.servers[subject.broker]))


def store_hangs(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Let the Redis of the job store stand still while jobs run."""
    _hang(subject, scale, out, _stopped(subject.servers["redis"]))


def locked_files(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Let another process hold the files of messages and records while jobs run."""
    _hang(subject, scale, out, locked(subject.folder / "messages.db", subject.folder / "jobs.db"))


def _kill_server(subject: Subject, scale: Scale, out: Outcome, name: str) -> None:
    subject.add_worker()
    with subject.load(20, "nap", 0.4):
        subject.wait_for_load(40)
        sure = set(subject.accepted)
        time.sleep(scale.random.uniform(1, 2))
        subject.servers[name].stop(signal.SIGKILL)
        killed_s, late = books.now_s(), set(subject.accepted) - sure
        time.sleep(scale.random.uniform(0, 3))
        subject.servers[name].start()
        subject.wait_for_load(len(subject.accepted) + 40)
    if name == "redis":
        books.check_around(subject, out, killed_s, EVERYSEC_S, late)
    else:
        books.check_around(subject, out, killed_s, books.RECORDING_S)
    checks.check_alive(subject, out)


def killed_everything(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Kill API and worker at the same moment under load, as a machine that goes down does, and start both again."""
    worker = subject.add_worker()
    with subject.load(25, "nap", 0.2):
        subject.wait_for_load(60)
        time.sleep(scale.random.uniform(0, 0.5))
        killed_s, interrupted = books.now_s(), subject.ledger.open()
        for process in (worker, subject.api):
            subject.stop(process, signal.SIGKILL)
        subject.start_api()
        subject.add_worker()
        subject.wait_for_load(len(subject.accepted) + 40)
    books.check_around(subject, out, killed_s, books.RECORDING_S)
    books.check_restarts(subject, out, interrupted, killed_s, 30)


def _go_without(subject: Subject, out: Outcome, name: str) -> None:
    server = subject.servers[name]
    subject.stop(subject.api)
    server.stop()
    subject.start_api()
    subject.launch_worker()
    checks.check_refusals(subject, out)
    server.start()
    checks.check_recovery(subject, out)
    server.stop()
    checks.check_refusals(subject, out)
    server.start()
    checks.check_recovery(subject, out)
    checks.check_refused(subject, out)


def missing_directory(subject: Subject, _: Scale, out: Outcome) -> None:
    """Let a file stand where the directory belongs: nobody, not even root, can write below it."""
    place = subject.folder / "volume"
    for name, file in (("BROKER_URL", "messages.db"), ("JOB_STORE_URL", "jobs.db")):
        subject.env[name] = f"sqlite:///{place}/{file}"
    place.touch()
    subject.stop(subject.api)
    subject.start_api()
    subject.launch_worker()
    checks.check_refusals(subject, out)
    place.unlink()
    checks.check_recovery(subject, out)


def _hang(subject: Subject, scale: Scale, out: Outcome, fault: AbstractContextManager[None]) -> None:
    subject.add_worker()
    tokens = [subject.place("nap", scale.random.uniform(1, 5))[0] for _ in range(8)]
    subject.until(lambda: len(subject.ledger.open()) == len(tokens), "eight jobs in flight")
    with fault:
        stood_s = books.now_s()
        checks.check_refusals(subject, out)
        time.sleep(max(stood_s + 6 - books.now_s(), 0))
    checks.check_recovery(subject, out)
    books.wait_for_ends(subject, tokens, 30)
    books.check(subject, out, tokens)
    books.check_starts(subject, out, tokens)


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    server.send_signal(signal.SIGSTOP)
    time.sleep(0.2)  # a thread on another core may go on for a moment
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


@contextmanager
def locked(*files: Path) -> Iterator[None]:
    with ExitStack() as stack:
        for file in files:
            db = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
            db.execute("begin exclusive")
        yield
