"""pins/: one set of exact versions per backend and broker, and never an address."""

import re

import pytest

from bgtasks.case import Case
from conftest import ROOT

PINS = sorted((ROOT / "pins").iterdir())
LINE = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*( ; [a-z_0-9 .'<>=!()]+)?", re.IGNORECASE)


def test_every_backend_and_broker_has_its_set(case: Case) -> None:
    wanted = {f"{key}-{b}.txt" for key, backend in case.matrix.backends.items() for b in backend.brokers.values()}
    assert {path.name for path in PINS} == wanted


@pytest.mark.parametrize("name", [path.name for path in PINS])
def test_a_set_holds_names_versions_and_markers_only(name: str) -> None:
    lines = (ROOT / "pins" / name).read_text().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert len({line.split("==")[0] for line in lines}) == len(lines) > 20


def test_every_direct_requirement_is_pinned(case: Case) -> None:
    for key, backend in case.matrix.backends.items():
        for broker, names in backend.requires.items():
            pinned = {line.split("==")[0] for line in (ROOT / "pins" / f"{key}-{broker}.txt").read_text().splitlines()}
            assert {name.split("[")[0] for name in names} <= pinned
