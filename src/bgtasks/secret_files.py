"""The secret files of a new project, made by the project's own script."""

import subprocess
import sys
from pathlib import Path

__all__ = ["make_secrets"]


def make_secrets(project: Path) -> str:
    """Make the secret files of a project that has just been written; only `new` does, an update leaves them alone.

    Returns:
        Why they could not be made, or nothing.
    """
    # The copies for containers belong to other users: `poe secrets` makes them where Docker runs.
    command = [sys.executable, "ops/make_secrets.py", "--local"]
    made = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return "" if made.returncode == 0 else (made.stderr.strip().splitlines() or ["no reason given"])[-1]
