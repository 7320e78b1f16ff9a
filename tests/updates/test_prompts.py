"""What an update asks, in a real pseudo-terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from updates.project import Shop, new

ENTER, DOWN, CTRL_C = "\r", "\x1b[B", "\x03"
Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Start the command line of this checkout in a terminal of its own."""
    started = []

    def start(*words: str) -> "pexpect.spawn[str]":
        env = {**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
        command = ["-m", "bgtasks", *words]
        child = pexpect.spawn(
            sys.executable, command, cwd=str(tmp_path), env=env, dimensions=(60, 200), timeout=60, encoding="utf-8"
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.fixture
def orders(tmp_path: Path) -> Shop:
    """A project of this checkout on BackgroundTasks."""
    return new(tmp_path / "orders", "--set", "task_loss=acceptable")


def exit_code(child: "pexpect.spawn[str]") -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_it_asks_for_the_backend_and_whether_to_write(terminal: Terminal, orders: Shop) -> None:
    child = terminal("update", "orders", "--set", "task_loss=never", "--set", "infrastructure=redis")
    child.expect_exact("Recommended: ARQ")
    child.expect_exact("Which backend?")
    child.expect_exact("ARQ (recommended)")
    child.send(DOWN + ENTER)
    child.expect_exact("The project moves from BackgroundTasks to ")
    child.expect_exact("Write this?")
    child.send("y")
    child.expect_exact("Updated orders: ")
    assert exit_code(child) == 0
    assert orders.recorded()["backend"] not in {"arq", "backgroundtasks"}


@pytest.mark.parametrize("keys, code", [("n", 0), (CTRL_C, 130)], ids=["no", "Ctrl-C"])
def test_no_means_that_nothing_is_written(terminal: Terminal, orders: Shop, keys: str, code: int) -> None:
    before = orders.content()
    child = terminal("update", "orders", "--set", "cores=4")
    child.expect_exact("Write this?")
    child.send(keys)
    assert exit_code(child) == code
    assert orders.content() == before


def test_ctrl_c_at_the_backend_writes_nothing(terminal: Terminal, orders: Shop) -> None:
    before = orders.content()
    child = terminal("update", "orders", "--set", "task_loss=never")
    child.expect_exact("Which backend?")
    child.send(CTRL_C)
    assert exit_code(child) == 130
    assert orders.content() == before


def test_new_on_a_project_offers_the_update(terminal: Terminal, orders: Shop) -> None:
    child = terminal("new", "orders", "--set", "cores=4")
    child.expect_exact("orders holds a project of bgtasks. Update it?")
    child.send("y")
    child.expect_exact("cores: 2 to 4")
    child.expect_exact("Write this?")
    child.send(ENTER)
    assert exit_code(child) == 0
    assert orders.recorded()["cores"] == 4


def test_new_on_a_project_that_shall_not_be_updated_is_refused(terminal: Terminal, orders: Shop) -> None:
    before = orders.content()
    child = terminal("new", "orders")
    child.expect_exact("Update it?")
    child.send("n")
    child.expect_exact("It holds a bgtasks project already")
    assert exit_code(child) == 1
    assert orders.content() == before
