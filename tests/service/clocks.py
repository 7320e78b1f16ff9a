"""Processes whose wall clock is wrong; the kernel's steady clock stays as it is."""

import subprocess
from pathlib import Path

from service.brokers import need

# libfaketime spoils the system call of Python's own `sleep`, which would raise or return at once.
SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)
"""


# libfaketime keeps memory named after each process, and stops one that finds its name taken.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's, only listed


def remove_memory_of_killed() -> None:
    """Remove what processes that were killed have left, before the kernel gives their numbers to others."""
    for left in SHARED_MEMORY.glob("*faketime_*_*"):
        number = left.name.rsplit("_", 1)[1]
        if not Path("/proc", number).exists():
            left.unlink(missing_ok=True)


def wrong_clock(setting: str, folder: Path) -> dict[str, str]:
    """Return the environment in which Python sees another time.

    Args:
        setting: What libfaketime takes, such as `+60s`.
        folder: Where a module may be written that Python imports when it starts.
    """
    remove_memory_of_killed()
    (folder / "sitecustomize.py").write_text(SLEEP)
    shown = subprocess.run([need("faketime"), "-f", setting, "env"], check=True, capture_output=True, text=True).stdout
    wrapped = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {
        "LD_PRELOAD": wrapped["LD_PRELOAD"],
        "FAKETIME": setting,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(folder),
    }
