"""A project that was written before, known by its answers file, which somebody else may have written."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from bgtasks.answers import read_answers
from bgtasks.errors import AnswersError, ProjectError

__all__ = ["ANSWERS_FILE", "STAGE", "Project", "holds_project", "read_project"]

ANSWERS_FILE = ".copier-answers.yml"

STAGE = ".bgtasks-update-"
"""How the name of the folder begins in which an update prepares its files."""

_VERSION = re.compile(r"v?([0-9][0-9a-zA-Z.+-]{0,40})")


@dataclass(frozen=True)
class Project:
    """A directory with a project, and what its answers file says, none of which has been checked.

    Attributes:
        root: Without symbolic links.
        version: What `_commit` names, without its `v`; only ever compared with the versions that are known.
        answers: By question, as YAML gives them.
    """

    root: Path
    version: str
    answers: dict[str, object]


def holds_project(directory: Path) -> bool:
    """Whether a directory holds a project of ours, so far as its answers file can be read."""
    try:
        return _is_ours(_read(directory))
    except AnswersError:
        return False


def read_project(directory: Path) -> Project:
    """The project in a directory.

    Raises:
        ProjectError: There is none, or its answers file cannot be read or says too little.
    """
    try:
        content = _read(directory)
    except AnswersError as error:
        marked = "<<<<<<<" in error.why
        hint = "Resolve the conflict in it" if marked else "Take the last good one from your repository"
        raise ProjectError(error.message, why=error.why, hint=f"{hint}, then run the command again") from error
    if not content:
        raise ProjectError(
            f"`{directory}` holds no bgtasks project",
            why=f"It has no `{ANSWERS_FILE}`",
            hint="Name the directory of a project, or write a new one with `bgtasks new`",
        )
    if not _is_ours(content):
        raise ProjectError(
            f"`{directory}` holds no bgtasks project",
            why=f"Its `{ANSWERS_FILE}` names another template: {content.get('_src_path')!r}",
            hint="Update it with `copier update`",
        )
    version = _VERSION.fullmatch(str(content.get("_commit", "")))
    if not version:
        raise ProjectError(
            f"`{directory}` does not say which release it was made from",
            why=f"`_commit` in its `{ANSWERS_FILE}` is {content.get('_commit')!r}",
            hint="Write the release there, such as `_commit: v0.1.0`",
        )
    answers = {key: value for key, value in content.items() if not key.startswith("_")}
    return Project(directory.resolve(), version[1], answers)


def _read(directory: Path) -> dict[str, object]:
    """The content of the answers file; empty when there is none."""
    path = directory / ANSWERS_FILE
    try:
        # Not a link, and not a pipe, which would be read for ever: who wrote this file is unknown.
        mode = path.lstat().st_mode
    except OSError:
        return {}
    if not stat.S_ISREG(mode):
        raise AnswersError(f"The answers file `{path}` is not a regular file", hint="Write the file itself there")
    return read_answers(path)


def _is_ours(content: dict[str, object]) -> bool:
    # Plain Copier records the address or the path that it was given, so only the last part is the same.
    source = str(content.get("_src_path", "")).rstrip("/").removesuffix(".git")
    return re.split(r"[/:\\]", source)[-1] == "bgtasks"
