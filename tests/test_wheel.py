"""The wheel, installed on its own, does what the checkout does."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bgtasks import __version__
from bgtasks.releases import ARCHIVE
from conftest import ROOT

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "tests")
FIRST, SECOND = "90.1.0", "90.2.0"  # later than any release there is


def run(words: Sequence[str | Path], cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(checkout: Path, dist: Path, version: str) -> Path:
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist], checkout)
    return dist / f"bgtasks-{version}-py3-none-any.whl"


def release(checkout: Path, version: str) -> None:
    """Cut a release in which one line of the README is new."""
    readme = checkout / "template/{{ on.base }}/README.md.jinja"
    readme.write_text(f"{readme.read_text()}\nNew in {version}.\n")
    changelog = checkout / "CHANGELOG.md"
    heading = "## [Unreleased]\n"
    changelog.write_text(changelog.read_text().replace(heading, f"{heading}\n### Template\n\n- A line.\n", 1))
    run([sys.executable, ROOT / "scripts/release.py", version, "--root", checkout], checkout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"), __version__)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two releases that are still to come, cut one after the other in a copy of this checkout."""
    folder = tmp_path_factory.mktemp("releases")
    checkout = Path(shutil.copytree(ROOT, folder / "bgtasks", ignore=LEFT_OUT))
    built = {}
    for version in (FIRST, SECOND):
        release(checkout, version)
        built[version] = build(checkout, folder / "dist", version)
    return built


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    run([sys.executable, "-m", "venv", venv], venv.parent)
    run([venv / "bin/python", "-m", "pip", "install", "--quiet", wheel], venv.parent)
    return venv


def test_every_version_of_the_template_is_in_one_archive_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = [name for name in content.namelist() if ".dist-info/" not in name]
    assert f"bgtasks/{ARCHIVE}" in names
    assert all(name.endswith(".py") for name in names if name not in {f"bgtasks/{ARCHIVE}", "bgtasks/py.typed"})


def test_the_installed_wheel_writes_the_same_project_as_the_checkout(venv: Path, tmp_path: Path) -> None:
    run([venv / "bin/bgtasks", "new", "demo", "--defaults"], _made(tmp_path / "installed"))
    run([sys.executable, "-m", "bgtasks", "new", "demo", "--defaults"], _made(tmp_path / "checkout"))
    subprocess.run(["diff", "-r", "--exclude=secrets", "installed", "checkout"], cwd=tmp_path, check=True)


def test_a_project_of_one_wheel_is_updated_by_the_next(venv: Path, wheels: dict[str, Path], tmp_path: Path) -> None:
    install: list[str | Path] = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps"]
    run([*install, wheels[FIRST]], tmp_path)
    run([venv / "bin/bgtasks", "new", "demo", "--defaults", "--quiet"], tmp_path)
    shutil.copytree(tmp_path / "demo", tmp_path / "before")
    readme = tmp_path / "demo/README.md"
    readme.write_text(f"Ask Kim first.\n{readme.read_text()}")
    run([*install, wheels[SECOND]], tmp_path)
    printed = run([venv / "bin/bgtasks", "update", "demo", "--yes"], tmp_path)
    assert re.search(r"^demo: bgtasks 90.1.0 to 90.2.0\n", printed)
    assert {"Ask Kim first.", f"New in {FIRST}.", f"New in {SECOND}."} <= set(readme.read_text().splitlines())
    again = ["new", "again/demo", "--defaults", "--quiet", "--release", FIRST]
    run([venv / "bin/bgtasks", *again], tmp_path)
    subprocess.run(["diff", "-r", "--exclude=secrets", "before", "again/demo"], cwd=tmp_path, check=True)


def test_the_same_checkout_gives_the_same_archive(wheels: dict[str, Path], tmp_path: Path) -> None:
    checkout = wheels[SECOND].parents[1] / "bgtasks"
    again = build(checkout, tmp_path, SECOND)
    with zipfile.ZipFile(again) as one, zipfile.ZipFile(wheels[SECOND]) as other:
        assert one.read(f"bgtasks/{ARCHIVE}") == other.read(f"bgtasks/{ARCHIVE}")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
