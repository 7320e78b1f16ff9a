"""What a job costs its store, counted: a round trip where it is enqueued, claimed and finished, and shared renewals."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from faults.subject import Subject, with_probes
from service.project import Project
from service.running import running_as
from service.traces import scripts, statements, trace_sqlite
from service.variants import QUEUES, Variant, per_variant

SETTINGS = {"SOFT_LIMIT_S": "60", "WORKER_PROCESSES": "1", "WORKER_THREADS": "4", "LEASE_S": "2"}
# Celery runs one job in each process, so there is nothing to share.
THREADED = [variant for variant in QUEUES if variant.backend != "celery"]
# What a transaction does, by a part of it that no other has.
KEYS = re.compile(r"\{demo\}:(?!messages)")
# What the loops of a process ask, however many jobs there are.
OF_THE_LOOPS = {"due", "unheard", "renew", "add"}
STEPS = {"insert into job": "add", "claims = claims + 1": "claim", "'succeeded'": "finish", "set lease": "renew"}


@pytest.fixture
def subject(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Subject]:
    """A service that has warmed up: its connections are open, and Redis knows its scripts."""
    variant: Variant = request.param
    settings = SETTINGS | {"LEDGER": f"{tmp_path}/ledger"} | trace_sqlite(tmp_path)
    with running_as(
        Subject, with_probes(installed(variant), tmp_path), variant.broker, tmp_path, **settings
    ) as started:
        started.start_api()
        started.add_worker()
        started.until(lambda: started.call("GET", "/readyz").status == 200, "the API to reach its servers")
        for token in started.place_many(4, "nap", 0):
            started.until(partial(succeeded, started, token), "a job to succeed")
        yield started


def succeeded(subject: Subject, token: str) -> bool:
    return bool(subject.record(token)["state"] == "succeeded")


@contextmanager
def asked(subject: Subject) -> Iterator[Callable[[], list[str]]]:
    """Give a function that returns what the job store was asked since the block began."""
    if "redis" in subject.servers:
        with scripts(subject.servers["redis"].port, subject.project) as seen:
            yield lambda: [one for one in seen if re.match(r"[a-z_]+ ", one) or KEYS.search(one)]
    else:
        before = Counter(statements(subject.folder))
        yield lambda: [*(Counter(statements(subject.folder)) - before).elements()]


def step(text: str) -> str:
    """Return what a question to the store is called."""
    return next((name for part, name in STEPS.items() if part in text), text.split(" ")[0])


def concerning(subject: Subject, tokens: list[str], questions: list[str]) -> Counter[str]:
    """Count the questions that name one of these jobs."""
    ids = [subject.accepted[token] for token in tokens]
    return Counter(step(one) for one in questions if any(job_id in one for job_id in ids))


@pytest.mark.parametrize("subject", per_variant(QUEUES), indirect=True)
def test_a_job_costs_its_store_three_round_trips(subject: Subject) -> None:
    with asked(subject) as questions:
        tokens = subject.place_many(8, "nap", 0)
        subject.until(lambda: concerning(subject, tokens, questions())["finish"] >= len(tokens), "every outcome")
        counts = concerning(subject, tokens, questions())
        others = set(map(step, questions())) - set(counts)
    # SQLite is told more, by connections that are opened.
    assert others <= OF_THE_LOOPS or "redis" not in subject.servers
    del counts["renew"]  # on a busy machine a job may wait for long enough
    assert counts == {"add": len(tokens), "claim": len(tokens), "finish": len(tokens)}


@pytest.mark.parametrize("subject", per_variant(THREADED), indirect=True)
def test_one_renewal_serves_every_job_of_a_process(subject: Subject) -> None:
    with asked(subject) as questions:
        tokens = subject.place_many(4, "nap", 4)
        subject.until(lambda: set(tokens) <= subject.ledger.open(), "four jobs to run at once")
        time.sleep(2)
        ids = [subject.accepted[token] for token in tokens]
        renewals = [one for one in questions() if step(one) == "renew"]
    assert renewals
    assert all(all(job_id in one for job_id in ids) for one in renewals[-2:])
