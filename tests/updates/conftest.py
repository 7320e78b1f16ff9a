"""The releases of `versions.py` as what is installed, and a project of the first one."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bgtasks import render
from updates.project import Shop, new
from updates.versions import install, publish, write_versions

Fill = Callable[..., list[Path]]


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories with the templates, by version."""
    return write_versions(tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="session")
def package(versions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What passes for an installation that knows them."""
    return publish(versions, tmp_path_factory.mktemp("lib") / "bgtasks")


@pytest.fixture(scope="session")
def fill_once(tmp_path_factory: pytest.TempPathFactory) -> Fill:
    """Render each version with the same answers once: it is most of an update's time, and always the same."""
    kept: dict[str, Path] = {}
    folder, real = tmp_path_factory.mktemp("renders"), render.fill

    def fill(place: Path, answers: Mapping[str, object], template: Path, version: str, record: int = 1) -> list[Path]:
        key = repr((sorted(answers.items()), version, record))
        if key not in kept:
            kept[key] = folder / str(len(kept))
            real(kept[key], answers, template, version, record)
        shutil.copytree(kept[key], place)
        return sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file())

    return fill


@pytest.fixture
def small(package: Path, fill_once: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be bgtasks 0.2.0 with the small template."""
    install(package, "0.2.0", monkeypatch)
    monkeypatch.setattr("bgtasks.render.fill", fill_once)


@pytest.fixture
def shop(small: None, tmp_path: Path) -> Shop:  # noqa: ARG001 - the release has to be installed first
    """A project of release 0.1.0 of the small template, in no repository."""
    return new(tmp_path / "shop", "--release", "0.1.0")
