"""A render is held to what its reader would hold it to, whatever was answered."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bgtasks.case import Case
from bgtasks.errors import AnswersError
from service.project import Project, write_project
from service.variants import OPTIONS, REFUSED, SUPPORTED, Variant, per_variant

LISTINGS = Path(__file__).parent / "listings"
BACKENDS = {"celery", "dramatiq", "huey", "arq", "backgroundtasks"}
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|dummy|lorem|bgtasks|copier|jinja)\b|\{%|\{#|(?<!\$)\{\{ ", re.IGNORECASE)
# The decision record weighs every backend, and the answers file is Copier's own.
EXEMPT = re.compile(r"docs/decisions/|\.copier-answers\.yml")

Installed = Callable[[Variant], Project]


@pytest.fixture(scope="module", params=per_variant(SUPPORTED))
def chosen(request: pytest.FixtureRequest) -> tuple[Variant, str]:
    """A supported combination: the variant, and the name of its options."""
    combination: tuple[Variant, str] = request.param
    return combination


@pytest.fixture(scope="module")
def project(chosen: tuple[Variant, str], case: Case, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The render of this combination, not installed."""
    variant, options = chosen
    answers = {"backend": variant.backend} | variant.answers | OPTIONS[options]
    return write_project(case, tmp_path_factory.mktemp("renders") / "demo", **answers)


class ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own tags, such as `!reset`."""


ComposeLoader.add_multi_constructor("!", lambda _loader, suffix, _node: suffix)


def files(project: Project) -> Iterator[tuple[str, str]]:
    """Give the path and the text of every file."""
    for path in sorted(path for path in project.root.rglob("*") if path.is_file()):
        yield path.relative_to(project.root).as_posix(), path.read_text()


def test_the_paths_are_those_of_the_listing(chosen: tuple[Variant, str], project: Project) -> None:
    variant, options = chosen
    listing = LISTINGS / f"{variant}-{OPTIONS[options].get('workflows', 'none')}.txt"
    assert [name for name, _ in files(project)] == listing.read_text().splitlines(), "run `make listings` if meant"


def test_nothing_is_left_of_the_generator(project: Project) -> None:
    found = {
        name: match.group()
        for name, text in files(project)
        if (match := LEFTOVERS.search(text)) and not EXEMPT.match(name)
    }
    assert found == {}


def test_no_other_backend_is_named(chosen: tuple[Variant, str], project: Project) -> None:
    others = re.compile(rf"\b({'|'.join(BACKENDS - {chosen[0].backend})})\b", re.IGNORECASE)
    found = {
        name: match.group()
        for name, text in files(project)
        if (match := others.search(text)) and not EXEMPT.match(name)
    }
    assert found == {}


def test_data_files_are_well_formed(project: Project) -> None:
    readers: dict[str, Callable[[str], object]] = {".json": json.loads, ".toml": tomllib.loads}
    readers |= dict.fromkeys((".yml", ".yaml"), lambda text: list(yaml.load_all(text, ComposeLoader)))
    for name, text in files(project):
        readers.get(Path(name).suffix, str)(text)


def test_text_files_end_with_one_newline(project: Project) -> None:
    assert [name for name, text in files(project) if text and (not text.endswith("\n") or text.endswith("\n\n"))] == []


def test_the_code_is_formatted_and_lint_clean(
    chosen: tuple[Variant, str], project: Project, installed: Installed
) -> None:
    ruff = str(installed(chosen[0]).root / ".venv/bin/ruff")
    for command in ((ruff, "format", "--check", "."), (ruff, "check", ".")):
        result = project.run(*command)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("refused", REFUSED, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_what_breaks_a_promise_is_refused(refused: tuple[Variant, str], case: Case, tmp_path: Path) -> None:
    variant, options = refused
    answers = {"backend": variant.backend} | variant.answers | OPTIONS[options]
    with pytest.raises(AnswersError, match=r"contradict|No backend can"):
        write_project(case, tmp_path / "demo", **answers)
    assert list(tmp_path.iterdir()) == []
