"""A rendered project with its environment installed, as its user has it after `uv sync`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bgtasks.case import Case
from bgtasks.questions import Answer, complete
from bgtasks.render import render


@dataclass(frozen=True)
class Project:
    """A project on disk."""

    root: Path

    @property
    def python(self) -> str:
        return str(self.root / ".venv/bin/python")

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project's own environment in its directory, and keep what it prints."""
        path = f"{self.root / '.venv/bin'}:{os.environ['PATH']}:/usr/sbin"
        return subprocess.run(
            command, cwd=self.root, env=clean_env() | {"PATH": path} | env, capture_output=True, text=True, check=False
        )


def clean_env() -> dict[str, str]:
    """This process's environment without what would leak our own virtual environment into a project."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def write_project(case: Case, root: Path, **answers: Answer) -> Project:
    """Render a project without installing it."""
    given: dict[str, Answer] = {"project_name": "demo", **answers}
    render(complete(given, case.questions, case.matrix), root, case.template)
    return Project(root)


def install(project: Project) -> Project:
    """Install the pinned set, as the README says."""
    subprocess.run(["uv", "sync", "--quiet"], cwd=project.root, env=clean_env(), check=True)
    return project
