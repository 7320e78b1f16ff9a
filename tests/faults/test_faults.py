"""Every fault, on every backend and broker: what the generated service promises holds."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.cell import break_it
from faults.outcome import Outcome, full, quick
from faults.table import FAULTS, Fault
from service.project import Project
from service.variants import QUEUES, Variant, per_variant

SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
scale_of = full if os.environ.get("FAULTS") == "full" else quick


@pytest.mark.parametrize(
    "broken", per_variant((variant, fault) for variant in QUEUES for fault in FAULTS if fault.concerns(variant))
)
def test_the_promise_holds(
    broken: tuple[Variant, Fault], installed: Callable[[Variant], Project], tmp_path: Path
) -> None:
    variant, fault = broken
    out = Outcome()
    break_it("generated", variant, fault, installed(variant), tmp_path, scale_of(SEED), out)
    assert not out.broken, f"{out} (seed {SEED})"
