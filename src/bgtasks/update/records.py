"""The decision records about the backend in a project, `docs/decisions/0001-use-huey.md` and its followers.

A record tells what was decided when, so a change of backend adds one, and the one before stays as it is.
"""

import re
from pathlib import Path

from bgtasks.update.trees import Kind, look

__all__ = ["current_record", "is_record", "next_record"]

_FOLDER = "docs/decisions"
_NUMBERED = re.compile(r"([0-9]{4})-.*\.md")


def current_record(root: Path, backend: str) -> int:
    """The number of the newest record about a backend; 1 when there is none."""
    numbers = [number for number, name in _numbered(root) if name.endswith(f"-use-{backend}.md")]
    return max(numbers, default=1)


def next_record(root: Path) -> int:
    """The first number after all records, the user's own ones too."""
    return max((number for number, _ in _numbered(root)), default=0) + 1


def is_record(path: str, backend: str) -> bool:
    """Whether a path is that of a record about a backend."""
    return re.fullmatch(rf"{_FOLDER}/[0-9]{{4}}-use-{re.escape(backend)}\.md", path) is not None


def _numbered(root: Path) -> list[tuple[int, str]]:
    folder = look(root, _FOLDER)
    if folder is None or folder.kind is not Kind.DIRECTORY:
        return []
    matches = [_NUMBERED.fullmatch(path.name) for path in Path(root, _FOLDER).iterdir()]
    return [(int(match[1]), match[0]) for match in matches if match]
