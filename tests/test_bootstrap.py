"""What the Makefile's shell does on machines that are not as one would like them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT


def bootstrap(*words: str, path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run scripts/bootstrap.sh with only these programs, and the few that the shell itself needs."""
    for name in ("bash", "dirname", "id"):
        if not (path / name).exists():
            (path / name).symlink_to(f"/usr/bin/{name}")
    script = [str(path / "bash"), str(ROOT / "scripts" / "bootstrap.sh"), *words]
    return subprocess.run(
        script, env={"PATH": str(path), **environment}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def program(path: Path, name: str, body: str) -> None:
    (path / name).write_text(f"#!/usr/bin/bash\n{body}\n")
    (path / name).chmod(0o755)


def test_a_shim_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path, "python3", "exit 127")
    program(tmp_path, "python3.13", "exit 127")
    program(tmp_path, "python3.12", f'exec "{sys.executable}" "$@"')
    assert bootstrap("find_python", path=tmp_path).stdout == "python3.12\n"


def test_a_named_python_goes_first(tmp_path: Path) -> None:
    program(tmp_path, "python3", f'exec "{sys.executable}" "$@"')
    assert bootstrap("find_python", path=tmp_path, PYTHON=sys.executable).stdout == f"{sys.executable}\n"


def test_without_a_python_that_is_new_enough_it_says_what_to_install(tmp_path: Path) -> None:
    program(tmp_path, "python3", "exit 1")
    result = bootstrap("find_python", path=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "hint: Install it" in result.stderr


def test_present_brokers_are_left_alone(tmp_path: Path) -> None:
    for name in ("redis-server", "rabbitmq-server", "faketime", "curl"):
        program(tmp_path, name, "exit 1")
    program(tmp_path, "apt-get", "echo called >&2; exit 1")
    result = bootstrap("brokers", path=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_missing_broker_is_installed_where_that_is_allowed(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", "exit 1")
    program(tmp_path, "sudo", 'shift; exec "$@"')
    program(tmp_path, "env", 'shift; exec "$@"')
    program(tmp_path, "apt-get", 'echo "$@" >&2')
    result = bootstrap("brokers", path=tmp_path)
    assert result.returncode == 0
    assert "install -y --no-install-recommends rabbitmq-server faketime curl\n" in result.stderr


def test_where_it_may_not_install_it_says_what_to_install(tmp_path: Path) -> None:
    result = bootstrap("brokers", path=tmp_path)
    assert result.returncode == 0
    assert "redis-server rabbitmq-server faketime curl" in result.stderr


def test_no_destination_is_a_usage_error(tmp_path: Path) -> None:
    result = bootstrap("new", "", path=tmp_path)
    assert result.returncode == 2
    assert "hint: make new DEST=../orders" in result.stderr


@pytest.mark.parametrize("name", [".ci/run", "scripts/bootstrap.sh"])
def test_scripts_can_be_executed(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
