"""The container engine: one that answers, or one that a lab brings up."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

# A program for machines that reach no registry. `up IMAGE...` starts an engine and prints `export NAME=value`,
# `scan PATH` makes stand-ins for the images that the files below PATH name, `down` stops the engine.
LAB = "ENGINE_LAB"
_FIRST_IMAGE = "python:3.13-slim-trixie"


@contextmanager
def engine() -> Iterator[None]:
    """Use the engine that answers, or bring one up for as long as the block lasts."""
    brought_up = not _answers() and _bring_up()
    if not _answers():
        give_up(f"No container engine answers; start Docker, set DOCKER_HOST, or name a lab in {LAB}")
    try:
        yield
    finally:
        if brought_up:
            subprocess.run([os.environ[LAB], "down"], check=True)


def docker(*words: str, check: bool = True, seconds: float = 300) -> str:
    """Run the client, and return what it printed.

    Raises:
        AssertionError: It failed; with the end of what it said.
    """
    result = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=seconds, check=False)
    if check and result.returncode:
        raise AssertionError(f"docker {' '.join(words)}: {result.stderr[-3000:]}")
    return result.stdout.strip()


def provide_images(project: Path) -> None:
    """Let a lab make what the project's files name; elsewhere the engine pulls it."""
    if lab := os.environ.get(LAB):
        # It fails for an image that it cannot make, and whoever needs that one will say so.
        subprocess.run([lab, "scan", project], check=False, stdout=subprocess.DEVNULL)


def need_image(image: str) -> None:
    """Make sure that an image is there, or can be had."""
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0:
        return
    if os.environ.get(LAB):
        give_up(f"The lab has no stand-in for {image}")
    if subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, check=False).returncode:
        give_up(f"{image} cannot be pulled")


def signal_processes(container: str, signum: signal.Signals, *, first_only: bool = False) -> None:
    """Signal the processes of a container from outside, which the engine does not take for a wish of its user."""
    shown = docker("top", container, "-o", "pid").splitlines()[1:]
    first = int(docker("inspect", "-f", "{{.State.Pid}}", container))
    pids = [first] if first_only else [int(pid) for pid in shown if int(pid) != first]
    for pid in pids:
        if not _belongs_to(pid, container):
            give_up("The engine runs on another machine: its processes cannot be signalled")
        os.kill(pid, signum)


def give_up(reason: str) -> NoReturn:
    """Skip the test on a laptop, and fail it on CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False)
    return asked.returncode == 0


def _bring_up() -> bool:
    if not os.environ.get(LAB):
        return False
    command = [os.environ[LAB], "up", _FIRST_IMAGE]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    settings = [line.removeprefix("export ") for line in printed.splitlines() if line.startswith("export ")]
    os.environ.update(dict(setting.split("=", 1) for setting in settings))
    return True


def _belongs_to(pid: int, container: str) -> bool:
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except FileNotFoundError:
        return False
    return docker("inspect", "-f", "{{.Id}}", container) in groups
