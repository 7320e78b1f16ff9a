"""Files as values: what lies at a path, and whether two of them are the same."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["Kind", "Node", "Tree", "blocker", "is_text", "look", "read_tree", "same_text", "to_unix", "with_ends_of"]

_LARGEST_FILE = 100_000_000
_LARGEST_TEXT = 5_000_000
_SNIFFED = 8000
_NOT_OURS = {"", ".", "..", ".git"}  # parts of paths that lead out of a project, or into its repository


class Kind(Enum):
    """What can lie at a path."""

    FILE = "file"
    LINK = "symbolic link"
    DIRECTORY = "directory"
    OTHER = "device or socket"


@dataclass(frozen=True, slots=True)
class Node:
    """What lies at a path; `content` is that of a file, or the target of a symbolic link."""

    kind: Kind
    content: bytes = b""
    executable: bool = False


Tree = Mapping[str, Node]
"""Nodes by path, relative to the root of a project and with slashes; directories only where one is in the way."""


def look(root: Path, path: str) -> Node | None:
    """What lies at a path below `root`, without following a symbolic link; None when nothing does.

    A path that leads through a symbolic link or a file, out of `root` or into a repository leads nowhere.

    Raises:
        OSError: It cannot be read, or is a file of more than 100 MB.
    """
    if not _NOT_OURS.isdisjoint(path.split("/")) or blocker(root, path):
        return None
    place = root / path
    try:
        status = place.lstat()
        # Not `is_file`, which follows links: a link in a stranger's project may lead anywhere.
        if stat.S_ISREG(status.st_mode):
            if status.st_size > _LARGEST_FILE:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(place))
            return Node(Kind.FILE, place.read_bytes(), bool(status.st_mode & 0o100))
        if stat.S_ISLNK(status.st_mode):
            return Node(Kind.LINK, os.fsencode(place.readlink()))
    except FileNotFoundError:
        return None
    return Node(Kind.DIRECTORY if stat.S_ISDIR(status.st_mode) else Kind.OTHER)


def blocker(root: Path, path: str) -> str:
    """The first parent of a path that exists and is no directory of its own; empty when there is none."""
    parts = path.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        parent = "/".join(parts[:count])
        try:
            mode = (root / parent).lstat().st_mode
        except FileNotFoundError:
            return ""
        if not stat.S_ISDIR(mode):
            return parent
    return ""


def read_tree(root: Path, paths: Iterable[str] | None = None) -> dict[str, Node]:
    """What lies at these paths, or every file below `root`; paths at which nothing lies are left out."""
    if paths is None:
        paths = (path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
    found = {path: look(root, path) for path in paths}
    return {path: node for path, node in found.items() if node}


def is_text(node: Node) -> bool:
    """Whether lines of this file can be merged: git's own test, and not of a gigantic file."""
    return node.kind is Kind.FILE and len(node.content) <= _LARGEST_TEXT and b"\0" not in node.content[:_SNIFFED]


def to_unix(content: bytes) -> bytes:
    """A text with plain line ends if all of its lines end with CRLF, else as it is."""
    # Mixed ends are left as they are: nobody could tell afterwards which line had which.
    lines = content.count(b"\n")
    return content.replace(b"\r\n", b"\n") if lines and content.count(b"\r\n") == lines else content


def with_ends_of(node: Node, content: bytes) -> bytes:
    """A text with CRLF at the end of every line if that is how the lines of this file end."""
    has_crlf = is_text(node) and to_unix(node.content) != node.content
    return to_unix(content).replace(b"\n", b"\r\n") if has_crlf else content


def same_text(one: Node, other: Node) -> bool:
    """Whether two nodes hold the same, whatever ends their lines and whoever may execute them."""
    if one.kind is not other.kind:
        return False
    return one.content == other.content or (is_text(one) and to_unix(one.content) == to_unix(other.content))
