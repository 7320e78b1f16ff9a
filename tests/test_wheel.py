"""The wheel, installed on its own, does what the checkout does."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bgtasks import __version__
from bgtasks.releases import ARCHIVE
from conftest import ROOT


def run(words: Sequence[str | Path], cwd: Path) -> None:
    subprocess.run(words, cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist], ROOT)
    return dist / f"bgtasks-{__version__}-py3-none-any.whl"


def test_the_template_is_one_archive_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = [name for name in content.namelist() if ".dist-info/" not in name]
    assert f"bgtasks/{ARCHIVE}" in names
    assert all(name.endswith(".py") for name in names if name not in {f"bgtasks/{ARCHIVE}", "bgtasks/py.typed"})


def test_the_installed_wheel_writes_the_same_project_as_the_checkout(wheel: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", "venv"], tmp_path)
    run(["venv/bin/python", "-m", "pip", "install", "--quiet", wheel], tmp_path)
    run(["../venv/bin/bgtasks", "new", "demo", "--defaults"], _made(tmp_path / "installed"))
    run([sys.executable, "-m", "bgtasks", "new", "demo", "--defaults"], _made(tmp_path / "checkout"))
    subprocess.run(["diff", "-r", "installed", "checkout"], cwd=tmp_path, check=True)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
