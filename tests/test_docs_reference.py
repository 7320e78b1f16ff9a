"""The reference pages say what the code says: commands, options, keys, settings, routes, words."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bgtasks.case import Case
from bgtasks.cli import app
from conftest import ROOT, CommandLine
from pages.markdown import prose, rows
from service.project import Project, write_project

CLI = ROOT / "docs/reference/cli.md"
PROJECT = ROOT / "docs/reference/generated-project.md"
GLOSSARY = ROOT / "docs/glossary.md"
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
APP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = APP.commands


def options(command: Any) -> set[tuple[str, str]]:
    """Give the names and the help of a command's options, as the pages write them."""
    help_option = {("--help", "Show this message and exit.")}
    return help_option | {
        (", ".join(f"{name} {param.metavar}" if param.metavar else name for name in param.opts), param.help)
        for param in command.params
        if param.param_type_name == "option"
    }


def test_every_command_has_its_section() -> None:
    assert re.findall(r"^## bgtasks (\w+)$", prose(CLI), re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_those_of_the_app(name: str) -> None:
    listed = {(row[0], row[1]) for row in rows(CLI, f"bgtasks {name}") if row[0].startswith("-")}
    assert listed == options(COMMANDS[name])
    assert f"]`: {' '.join((COMMANDS[name].help or '').splitlines()[0].split())}" in " ".join(prose(CLI).split())


def test_the_options_of_the_app_are_listed() -> None:
    assert {(row[0], row[1]) for row in rows(CLI, "Command line")} == options(APP)


@pytest.mark.parametrize("words", [("recommend", "--defaults"), ("matrix",)], ids=" ".join)
def test_the_keys_of_json_are_listed(bgtasks: CommandLine, words: tuple[str, ...]) -> None:
    printed = json.loads(bgtasks(*words, "--json").stdout)
    listed = [row[0] for row in rows(CLI, f"bgtasks {words[0]}") if not row[0].startswith("-")]
    assert listed == list(printed)


def test_the_derived_settings_are_listed(bgtasks: CommandLine) -> None:
    printed = json.loads(bgtasks("recommend", "--defaults", "--json").stdout)["derived"]
    assert [key for row in rows(CLI, "Derived settings") for key in row[0].split(", ")] == list(printed)


@pytest.mark.parametrize("words, code", [(("matrix",), 0), (("new", "x", "--set", "work=gpu"), 1), (("new",), 2)])
def test_exit_codes_are_those_of_the_page(bgtasks: CommandLine, words: tuple[str, ...], code: int) -> None:
    assert bgtasks(*words).exit_code == code
    assert str(code) in [row[0] for row in rows(CLI, "Exit codes")]


def test_every_file_of_a_project_is_listed_and_every_listed_one_exists(renders: list[Project]) -> None:
    patterns = {pattern for row in rows(PROJECT, "Files") for pattern in row[0].split(", ") if len(row) == 3}
    paths = {path.relative_to(one.root).as_posix() for one in renders for path in one.root.rglob("*") if path.is_file()}
    assert {path for path in paths if not any(fnmatch(path, pattern) for pattern in patterns)} == set()
    assert {pattern for pattern in patterns if not any(fnmatch(path, pattern) for path in paths)} == set()


def test_the_commands_of_a_project_are_listed(renders: list[Project]) -> None:
    found = {name for one in renders for name in re.findall(r"^(\w+)[\w.]* = ", poe_tasks(one), re.MULTILINE)}
    assert {name for row in rows(PROJECT, "Files") if len(row) == 2 for name in row[0].split(", ")} == found


def poe_tasks(project: Project) -> str:
    return (project.root / "pyproject.toml").read_text().split("[tool.poe.tasks]\n")[1].split("\n[")[0]


def test_the_settings_of_every_project_are_listed(renders: list[Project]) -> None:
    classes = ("Settings", "PoolSettings", "ThreadSettings", "WorkerSettings")
    found = {field.upper() for one in renders for name in classes for field in fields(one, name)}
    assert {row[0] for row in rows(PROJECT, "Settings")} == found


def fields(project: Project, name: str) -> set[str]:
    """Give the settings that a class of this name declares anywhere in the project."""
    classes = [node for tree in trees(project) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bodies = [node for one in classes if one.name == name for node in one.body if isinstance(node, ast.AnnAssign)]
    return {node.target.id for node in bodies if isinstance(node.target, ast.Name)}


def trees(project: Project, below: str = "app") -> Iterator[ast.Module]:
    for path in (project.root / below).rglob("*.py"):
        yield ast.parse(path.read_text())


def test_the_routes_of_a_project_are_listed(renders: list[Project]) -> None:
    found = {route for path in (renders[0].root / "app/api").glob("*.py") for route in routes(path.read_text())}
    assert {row[0] for row in rows(PROJECT, "Routes")} == found


def routes(source: str) -> Iterator[str]:
    prefix = next(iter(re.findall(r'APIRouter\(prefix="([^"]+)"', source)), "")
    for method, path in re.findall(r'@router\.(\w+)\("([^"]*)"', source):
        yield f"{method.upper()} {prefix}{path}"


def test_the_names_and_arguments_of_the_seam_are_listed(renders: list[Project]) -> None:
    listed = {row[0] for row in rows(PROJECT, "The seam")}
    exported = re.search(r"__all__ = (\[.*?\])", (renders[0].root / "app/jobs/__init__.py").read_text(), re.DOTALL)
    declare = ast.parse((renders[0].root / "app/jobs/declare.py").read_text())
    task = next(node for node in declare.body if isinstance(node, ast.FunctionDef) and node.name == "task")
    assert exported
    assert listed == set(ast.literal_eval(exported[1])) | {argument.arg for argument in task.args.kwonlyargs}


def test_what_chains_bring_is_listed(case: Case, tmp_path: Path) -> None:
    answers = {"backend": "celery", "infrastructure": "redis", "workflows": "chains"}
    app = write_project(case, tmp_path / "demo", **answers).root / "app"
    flow = ast.parse((app / "jobs/flow.py").read_text()).body
    defined = [node.name for node in flow if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef)]
    found = defined + list(routes((app / "api/quarters.py").read_text()))
    assert [row[0] for row in rows(PROJECT, "Chains")] == found


def test_words_that_the_glossary_rules_out_are_not_used(case: Case) -> None:
    ruled_out = [word for row in rows(GLOSSARY, "Glossary") if len(row) == 3 for word in row[2].split(", ") if word]
    pattern = re.compile(rf"\b({'|'.join(ruled_out)})s?\b", re.IGNORECASE)
    spoken = [text for path in (ROOT / "src").rglob("*.py") for text in texts(ast.parse(path.read_text()))]
    spoken += [question.help for question in case.questions] + [
        choice.label for question in case.questions for choice in question.choices
    ]
    spoken += [rule.reason for rule in case.matrix.rules]
    assert len(ruled_out) > 8
    assert [text for text in spoken if pattern.search(text)] == []


def texts(tree: ast.Module) -> Iterator[str]:
    """Give the strings of a module that are no docstrings: messages, hints, help."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def test_the_states_of_a_job_are_those_of_the_code(renders: list[Project]) -> None:
    record = (renders[0].root / "app/jobs/record.py").read_text()
    listed = [row[0] for row in rows(GLOSSARY, "Glossary") if len(row) == 2]
    assert listed == re.findall(r'^    [A-Z]+ = "(\w+)"', record, re.MULTILINE)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_record_is_short_and_has_its_parts(page: Path) -> None:
    content = page.read_text()
    assert re.findall(r"^## (.+)$", content, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert content.startswith(f"# {int(page.stem[:4])}. ")
    assert 40 <= len(content.splitlines()) <= 70


def test_decision_records_are_numbered_without_gaps() -> None:
    assert [int(page.stem[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_changelog_names_this_version_or_is_unreleased() -> None:
    content = (ROOT / "CHANGELOG.md").read_text()
    assert "\n## [Unreleased]\n" in content
    assert "\n### Template\n" in content


def test_the_example_of_a_rule_is_one(case: Case) -> None:
    page = (ROOT / "docs/explanation/how-the-recommendation-works.md").read_text()
    shown = yaml.safe_load(re.findall(r"```yaml[^\n]*\n(.*?)```", page, re.DOTALL)[0])
    assert all(rule in case.matrix.raw["rules"] for rule in shown)
