"""What the user's own git repository says of a project: read, never written, and nothing of it is run.

A repository that somebody else made can name programs in its configuration. The commands here only read the index
and objects, with those settings off: no filter, hook, file system monitor, pager or transport is started.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from bgtasks.errors import UpdateError
from bgtasks.update.git import environment, run

__all__ = ["Repository", "find_repository"]

_HARMLESS = ("-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
_NO_REPOSITORY = "not a git repository (or any"  # of the parents; a broken one gets another message


class Repository:
    """The repository around a project; all paths are relative to the project's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def committed(self, paths: Collection[str]) -> dict[str, bytes]:
        """What the last commit holds at these paths; a path that it does not have is left out."""
        if not paths:
            return {}
        # Not `git status` or `git diff`: they would run the filters that a repository's configuration names.
        code, listed = self._git("ls-tree", "-z", "HEAD", "--", *paths, fine=(0, 128))  # 128: no commit yet
        entries = [entry.partition("\t") for entry in _names(listed)] if code == 0 else []
        objects = {path: head.split()[2] for head, _, path in entries if head.split()[1] == "blob"}
        _, printed = self._git("cat-file", "--batch", given="".join(f"{name}\n" for name in objects.values()).encode())
        contents = dict(_objects(printed))
        return {path: contents[name] for path, name in objects.items() if name in contents}

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of these paths that git ignores."""
        given = "".join(f"./{path}\0" for path in paths)  # without the ./ a colon in front would mean something
        encoded = given.encode(errors="surrogateescape")
        _, printed = self._git("check-ignore", "-z", "--stdin", given=encoded, fine=(0, 1, 128))  # 128: in a submodule
        return {path.removeprefix("./") for path in _names(printed)}

    def files(self) -> list[str]:
        """Every file that git knows or would add."""
        _, printed = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return _names(printed)

    def _git(self, *words: str, given: bytes = b"", fine: Collection[int] = (0,)) -> tuple[int, bytes]:
        return run(words, self._root, environment() | _ENVIRONMENT, given, fine, _HARMLESS)


def find_repository(root: Path, known: str) -> Repository | None:
    """The repository that a project lies in; None where there is none, or where it ignores the project.

    Args:
        root: The project.
        known: A file of it, which git ignores if it ignores the project.

    Raises:
        UpdateError: There is one that git refuses to read: it is broken, or belongs to somebody else.
    """
    # Only its words tell a missing repository from one that cannot be read: the exit code is the same.
    words = ["rev-parse", "--is-inside-work-tree"]
    try:
        _, printed = run(words, root, environment() | _ENVIRONMENT, settings=_HARMLESS)
    except UpdateError as error:
        if _NO_REPOSITORY in error.why:
            return None
        raise
    if printed.strip() != b"true":
        return None
    repository = Repository(root)
    return None if known in repository.ignored([known]) else repository


def _objects(printed: bytes) -> Iterator[tuple[str, bytes]]:
    """The objects in what `cat-file --batch` prints, by name; one that is not there is left out."""
    while printed:
        head, _, printed = printed.partition(b"\n")
        name, *details = head.decode().split()
        if details != ["missing"]:
            size = int(details[1])
            yield name, printed[:size]
            printed = printed[size + 1 :]


def _names(printed: bytes) -> list[str]:
    return printed.decode(errors="surrogateescape").split("\0")[:-1]
