"""What the tests share: the template, a command line to call, and pytest-copier's view of the template."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bgtasks.case import Case, opened
from bgtasks.cli import app
from service.project import Project, install, write_project
from service.variants import VARIANTS, Variant

ROOT = Path(__file__).parents[1]

CommandLine = Callable[..., Result]


@pytest.fixture(scope="session")
def case() -> Iterator[Case]:
    """The questions, rules and template of this checkout."""
    with opened() as opened_case:
        yield opened_case


@pytest.fixture(scope="session")
def template(case: Case) -> Path:
    """A plain directory with the template of this checkout."""
    return case.template


@pytest.fixture(scope="session")
def installed(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Project]:
    """Give the project of a variant with its environment, made once in this process."""

    @cache
    def project(variant: Variant) -> Project:
        root = tmp_path_factory.mktemp(f"{variant}-") / "demo"
        return install(write_project(case, root, backend=variant.backend, **variant.answers))

    return project


@pytest.fixture(scope="session")
def renders(case: Case, tmp_path_factory: pytest.TempPathFactory) -> list[Project]:
    """One project of each backend and broker, not installed."""
    folder = tmp_path_factory.mktemp("renders")
    return [write_project(case, folder / f"{one}", backend=one.backend, **one.answers) for one in VARIANTS]


@pytest.fixture
def bgtasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Call the command line with these words, in an empty directory and without a terminal."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture(scope="session")
def copier_template_root(template: Path) -> Path:
    """Let pytest-copier make its repository of the template alone, not of all that lies in the checkout."""
    return template
