"""The smaller promise of BackgroundTasks: an API that is stopped finishes what it can, and names what it cannot."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.subject import Subject, with_probes
from service.project import Project
from service.running import running_as
from service.variants import VARIANTS, Variant, per_variant

DRAIN_S = 3
IN_PROCESS = [variant for variant in VARIANTS if variant.broker == "memory"]


@pytest.fixture
def subject(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Subject]:
    """An API that runs its jobs itself."""
    variant: Variant = request.param
    settings = {"LEDGER": f"{tmp_path}/ledger", "DRAIN_S": str(DRAIN_S), "SOFT_LIMIT_S": "60"}
    with running_as(
        Subject, with_probes(installed(variant), tmp_path), variant.broker, tmp_path, **settings
    ) as started:
        started.start_api()
        yield started


@pytest.mark.parametrize("subject", per_variant(IN_PROCESS), indirect=True)
def test_a_stopped_api_finishes_what_fits_and_logs_the_ids_of_the_rest(subject: Subject) -> None:
    short, long = subject.place("async_nap", 1)[0], subject.place("async_nap", 30)[0]
    subject.until(lambda: {short, long} <= subject.ledger.open(), "both jobs to run")
    told = time.monotonic()
    subject.stop(subject.api)
    assert time.monotonic() - told < DRAIN_S + 5
    assert (subject.ended([short]), subject.ended([long])) == (True, False)
    lost = [line["job_id"] for line in subject.log("api") if line["message"] == "job lost at shutdown"]
    assert lost == [subject.accepted[long]]
