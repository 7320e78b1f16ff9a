"""pins/: one set of exact versions per backend and broker, and never an address."""

import re
import subprocess
from pathlib import Path

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


@pytest.mark.parametrize("name", [path.name for path in PINS])
def test_a_set_is_complete_on_every_python(name: str, tmp_path: Path) -> None:
    """Nothing is missing and nothing clashes from 3.11 on, so uv and pip install the same."""
    resolved = tmp_path / "resolved.txt"
    flags = ["--no-header", "--no-annotate", "--universal", "--quiet", "--no-emit-index-url", "--no-emit-find-links"]
    command = ["uv", "pip", "compile", f"{ROOT}/pins/{name}", "--python-version", "3.11", *flags]
    subprocess.run([*command, "--output-file", str(resolved)], check=True)
    pinned = {line.split("==")[0]: line for line in (ROOT / "pins" / name).read_text().splitlines()}
    found = [line.split(" ;")[0] for line in resolved.read_text().splitlines()]
    assert [line for line in found if not pinned.get(line.split("==")[0], "").startswith(line)] == []
