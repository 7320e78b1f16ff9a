"""Plain Copier, without our command line, gives byte for byte the same project."""

import filecmp
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml
from pytest_copier.plugin import CopierFixture

from bgtasks import __version__
from bgtasks.case import Case
from bgtasks.matrix import load_matrix
from bgtasks.releases import SOURCE
from bgtasks.render import render
from conftest import ROOT

PUBLIC = "https://github.com/bgtasks/bgtasks.git"  # what Copier makes of SOURCE
UNDEMANDING = {"project_name": "orders", "slowest_task": "800ms", "task_loss": "acceptable"}  # vetoes no backend
CHOICES = [
    (key, infrastructure)
    for key, backend in load_matrix(ROOT / "matrix.yml").backends.items()
    for infrastructure in backend.brokers
]


@pytest.fixture(scope="session")
def release(copier_template: Path) -> Path:
    """The repository that pytest-copier makes of the working tree, tagged as our release."""
    for words in (["tag", "-d", "99.99.99"], ["tag", f"v{__version__}"]):
        subprocess.run(["git", *words], cwd=copier_template, check=True, capture_output=True)
    return copier_template


@pytest.fixture
def plain(copier: CopierFixture, release: Path, tmp_path: Path) -> CopierFixture:
    """Plain Copier, which finds that repository where the public one would be."""
    copier.setenv("GIT_CONFIG_COUNT", "1")
    copier.setenv("GIT_CONFIG_KEY_0", f"url.{release}.insteadOf")
    copier.setenv("GIT_CONFIG_VALUE_0", PUBLIC)
    copier.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    copier.template = SOURCE  # type: ignore[assignment]  # the fixture turns it into a text anyway
    return copier


def differences(left: Path, right: Path) -> list[str]:
    """Paths that only one side has or whose bytes or executable bits differ."""
    names = {path.relative_to(side).as_posix() for side in (left, right) for path in side.rglob("*")}
    return sorted(name for name in names if not same(left / name, right / name))


def same(left: Path, right: Path) -> bool:
    if left.is_dir():
        return right.is_dir()
    both = left.is_file() and right.is_file()
    return both and filecmp.cmp(left, right, shallow=False) and os.access(left, os.X_OK) == os.access(right, os.X_OK)


@pytest.mark.parametrize("backend, infrastructure", CHOICES, ids=["-".join(choice) for choice in CHOICES])
def test_every_backend_comes_out_the_same(
    case: Case, plain: CopierFixture, tmp_path: Path, backend: str, infrastructure: str
) -> None:
    answers = {**UNDEMANDING, "backend": backend, "infrastructure": infrastructure}
    render(answers, tmp_path / "ours", case.template)
    assert differences(tmp_path / "ours", plain.copy(tmp_path / "theirs", **answers).path) == []


@pytest.mark.usefixtures("plain")
def test_the_defaults_come_out_the_same_without_trust(case: Case, tmp_path: Path) -> None:
    render(
        {"project_name": "orders", **case.settle({}, ask=False, defaults=True)}, tmp_path / "ours/orders", case.template
    )
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--quiet", SOURCE, "theirs/orders"]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert differences(tmp_path / "ours", tmp_path / "theirs") == []


def test_the_recorded_source_is_public_and_the_version_is_the_packages(plain: CopierFixture, tmp_path: Path) -> None:
    answers = yaml.safe_load((plain.copy(tmp_path / "orders").path / ".copier-answers.yml").read_text())
    assert (answers["_src_path"], answers["_commit"]) == (SOURCE, f"v{__version__}")


def test_the_template_needs_no_trust_and_nothing_that_goes_away(case: Case) -> None:
    config = (case.template / "copier.yml").read_text()
    assert not [key for key in ("_tasks", "_migrations", "_jinja_extensions") if key in config]


def test_nothing_in_the_template_is_deprecated_by_copier(case: Case, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        render({"project_name": "orders"}, tmp_path / "orders", case.template)
