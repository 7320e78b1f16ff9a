"""Prompts, in a real pseudo-terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
import yaml

DOWN, ENTER, CTRL_C, CTRL_D, ERASE = "\x1b[B", "\r", "\x03", "\x04", "\x7f"

Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Start the command line in a terminal of its own, in an empty directory."""
    started = []

    def start(*words: str, **environment: str) -> "pexpect.spawn[str]":
        child = pexpect.spawn(
            sys.executable,
            ["-m", "bgtasks", *words],
            cwd=str(tmp_path),
            env={**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
            dimensions=(50, 250),
            timeout=20,
            encoding="utf-8",
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def exit_code(child: "pexpect.spawn[str]") -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def answer(child: "pexpect.spawn[str]", question: str, *keys: str) -> None:
    child.expect_exact(question)
    child.send("".join(keys) + ENTER)


def recorded(project: Path) -> dict[str, object]:
    answers: dict[str, object] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return answers


def test_picked_answers_lead_to_a_recommendation_that_can_be_overruled(terminal: Terminal, tmp_path: Path) -> None:
    child = terminal("new", "orders")
    answer(child, "How long does the slowest task run?")
    answer(child, "May a task be lost")
    answer(child, "What does a task spend its time on?", DOWN)
    answer(child, "Does anybody ask what became of a job?")
    answer(child, "Which server for queues do you run", DOWN)
    for question in ["How is the code", "On how many servers", "by the clock", "How many jobs", "hold in memory"]:
        answer(child, question)
    answer(child, "How many CPU cores", ERASE, "4")
    child.expect_exact("Recommended: Dramatiq")
    child.expect_exact("Which backend?")
    child.expect_exact("Dramatiq (recommended)")
    child.expect_exact("BackgroundTasks (BackgroundTasks keeps no record")
    child.send(DOWN + ENTER)
    child.expect_exact("warning: ")
    child.expect_exact("Next steps:")
    assert exit_code(child) == 0
    answers = recorded(tmp_path / "orders")
    assert (answers["work"], answers["infrastructure"], answers["cores"]) == ("cpu", "redis", 4)
    assert answers["backend"] in {"huey", "celery", "arq"}


def test_only_questions_that_still_matter_are_asked(terminal: Terminal) -> None:
    known = "slowest_task=90s task_loss=never tracking=none infrastructure=rabbitmq workflows=chains code_style=sync"
    words = [word for pair in known.split() for word in ("--set", pair)]
    child = terminal("recommend", *words)
    answer(child, "What does a task spend its time on?")
    answer(child, "How many jobs are there a day?")
    answer(child, "What does a task hold in memory?", DOWN, DOWN, DOWN)
    child.expect_exact("Recommended: Celery")
    assert exit_code(child) == 0


def test_another_duration_is_typed_in_and_checked_at_once(terminal: Terminal) -> None:
    child = terminal("recommend", "--set", "task_loss=never", "--set", "work=io", "--set", "tracking=none")
    child.expect_exact("another one")
    child.send(DOWN * 5 + ENTER)
    child.expect_exact("m4s")  # the default in its colour: only now does the text prompt read
    child.send(ERASE * 2 + "45" + ENTER)
    child.expect_exact("Did you mean 45s?")
    child.send("s" + ENTER)
    child.expect_exact("Which server for queues")


def test_with_defaults_nothing_is_asked_in_a_terminal_either(terminal: Terminal, tmp_path: Path) -> None:
    child = terminal("new", "orders", "--defaults")
    assert exit_code(child) == 0
    assert recorded(tmp_path / "orders")["backend"] == "huey"


def test_a_taken_directory_is_refused_before_the_first_question(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "pyproject.toml").touch()
    child = terminal("new", "orders")
    assert child.expect_exact(["also has: pyproject.toml", "How long"]) == 0
    assert exit_code(child) == 1


@pytest.mark.parametrize("command", [["new", "some/orders"], ["recommend"]], ids=["new", "recommend"])
def test_ctrl_c_in_the_first_prompt_exits_130_and_leaves_nothing(
    terminal: Terminal, tmp_path: Path, command: list[str]
) -> None:
    child = terminal(*command)
    child.expect_exact("arrow keys")
    child.send(CTRL_C)
    child.expect_exact("Cancelled")
    assert exit_code(child) == 130
    assert os.listdir(tmp_path) == []


def test_ctrl_d_in_a_text_prompt_is_no_bug(terminal: Terminal) -> None:
    words = [word for key, value in ALL.items() if key != "cores" for word in ("--set", f"{key}={value}")]
    child = terminal("recommend", *words)
    child.expect_exact("How many CPU cores")
    child.send(ERASE + CTRL_D)
    child.expect_exact("Cancelled")
    assert exit_code(child) == 130


def test_ctrl_c_when_the_backend_is_asked_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("".join(f"{key}: {value}\n" for key, value in ALL.items()))
    child = terminal("new", "some/orders", "--answers", "answers.yml")
    child.expect_exact("Which backend?")
    child.expect_exact("arrow keys")
    child.send(CTRL_C)
    assert exit_code(child) == 130
    assert os.listdir(tmp_path) == ["answers.yml"]


ALL = {
    "slowest_task": "4s",
    "task_loss": "never",
    "work": "io",
    "tracking": "none",
    "infrastructure": "none",
    "code_style": "async",
    "servers": "one",
    "workflows": "none",
    "jobs_per_day": "1k",
    "memory": "light",
    "cores": 2,
}


@pytest.mark.parametrize(
    "environment, coloured",
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "no-color", "dumb"],
)
def test_errors_are_coloured_only_where_it_is_wanted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    child = terminal("new", "orders", "--set", "wrok=io", **environment)
    child.expect(pexpect.EOF)
    assert ("\x1b[31m" in (child.before or "")) is coloured
    assert "error: " in (child.before or "").replace("\x1b[0m", "")
