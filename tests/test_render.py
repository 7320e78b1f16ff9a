"""Answers to files: nothing is asked, nothing of the user's own settings counts, nothing is left after a failure."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierFixture

from bgtasks import __version__
from bgtasks.case import Case
from bgtasks.errors import DestinationError, RenderError
from bgtasks.render import plan, render


@pytest.fixture
def answers(case: Case) -> dict[str, Any]:
    return {"project_name": "orders", **case.settle({}, ask=False, defaults=True)}


@pytest.fixture
def broken(template: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy the template and add one file with this content."""

    def add(content: str) -> Path:
        copy = tmp_path / "broken"
        shutil.copytree(template, copy)
        (copy / "template" / "{{ on.base }}" / "zz.txt.jinja").write_text(content)
        return copy

    return add


def test_what_is_planned_is_what_is_written(answers: dict[str, Any], template: Path, tmp_path: Path) -> None:
    written = render(answers, tmp_path / "orders", template)
    assert written == plan(answers, template)
    assert all((tmp_path / "orders" / path).is_file() for path in written)
    assert len(written) == sum(len(files) for *_, files in os.walk(tmp_path / "orders"))


def test_the_answers_file_names_the_public_source_and_every_answer(
    answers: dict[str, Any], template: Path, tmp_path: Path
) -> None:
    render(answers, tmp_path / "orders", template)
    recorded = yaml.safe_load((tmp_path / "orders" / ".copier-answers.yml").read_text())
    assert recorded == {**answers, "_src_path": "gh:bgtasks/bgtasks", "_commit": f"v{__version__}"}


@pytest.mark.parametrize("content", ["{{ 1 / 0 }", "{% if %}", "{% include 'nowhere' %}"])
def test_a_broken_template_is_one_error_and_writes_nothing(
    answers: dict[str, Any], broken: Callable[[str], Path], tmp_path: Path, content: str
) -> None:
    template = broken(content)
    with pytest.raises(RenderError, match="Cannot render") as caught:
        render(answers, tmp_path / "some" / "orders", template)
    assert caught.value.why
    assert os.listdir(tmp_path) == ["broken"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failure_after_some_files_leaves_nothing(
    answers: dict[str, Any], template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    real = Path.write_bytes

    def write(path: Path, content: Any) -> int:
        if path.name == "pyproject.toml":
            raise failure
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises((RenderError, KeyboardInterrupt, SystemExit)):
        render(answers, tmp_path / "orders", template)
    assert os.listdir(tmp_path) == []


def test_an_occupied_destination_is_left_as_it_is(answers: dict[str, Any], template: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("mine")
    with pytest.raises(DestinationError) as caught:
        render(answers, tmp_path, template)
    assert caught.value.why == "It holds 1 file that the project also has: pyproject.toml"
    assert (tmp_path / "pyproject.toml").read_text() == "mine"


def test_a_git_hook_around_the_run_does_not_matter(
    answers: dict[str, Any], template: Path, tmp_path: Path, copier: CopierFixture
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "outer"], check=True)
    copier.setenv("GIT_DIR", str(tmp_path / "outer" / ".git"))
    assert render(answers, tmp_path / "orders", template)


def test_the_users_defaults_for_other_templates_do_not_count(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yml").write_text("defaults:\n  cores: 7\n")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(tmp_path / "settings.yml"))
    render({"project_name": "orders"}, tmp_path / "orders", template)
    assert "cores: 2\n" in (tmp_path / "orders" / ".copier-answers.yml").read_text()
