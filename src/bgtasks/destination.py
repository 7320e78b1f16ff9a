"""Where a project goes: refuse what is taken, and write all of it or nothing."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bgtasks.errors import DestinationError
from bgtasks.interrupts import signals_held
from bgtasks.project import holds_project

__all__ = ["check_vacant", "staged"]

_SHOWN = 12


def check_vacant(dest: Path, plan: Callable[[], Sequence[Path]]) -> None:
    """Refuse a destination that holds anything, naming first what the project has too.

    Args:
        dest: Where the project is to be written: nothing, or an empty directory.
        plan: Gives the paths of the project's files, relative to its root; called only to refuse.

    Raises:
        DestinationError: Something is in the way, or `dest` is no place for a directory.
    """
    if not _is_occupied(dest):
        return
    if holds_project(dest):
        raise DestinationError(
            f"Cannot write into `{dest}/`",
            why="It holds a bgtasks project already",
            hint=f"Choose another directory, or run `bgtasks update {shlex.quote(str(dest))}`",
        )
    shared = [path.as_posix() for path in plan() if os.path.lexists(dest / path)]
    tops = {path.split("/")[0] for path in shared}
    others = sorted(entry.name for entry in dest.iterdir() if entry.name not in tops)
    raise DestinationError(
        f"Cannot write into `{dest}/`",
        why="\n".join(_in_the_way(shared, others)),
        hint="Choose another directory, or empty this one",
    )


@contextmanager
def staged(dest: Path) -> Iterator[Path]:
    """Give the path of a directory to fill; it becomes `dest` when the block ends well.

    Whatever ends the block otherwise, a signal too, leaves nothing behind: neither the half-written
    directory nor parent directories that were made for it. An empty directory at `dest` stays the
    same directory, so its permissions, owner and mounts are kept and a shell may stand in it.

    Raises:
        DestinationError: A directory cannot be made or moved into place.
    """
    place = dest.resolve()
    with ExitStack() as undo:
        try:
            with signals_held():
                # On the same file system as the place, or moving it there would be copying, which can stop half way.
                home = place if place.exists() else _make_parents(place, undo)
                stage = Path(tempfile.mkdtemp(prefix=f".{place.name[:40]}-", dir=home))
                undo.callback(_remove, stage)
        except OSError as error:
            raise _unwritable(dest, error) from error
        yield stage / place.name
        try:
            with signals_held() as held:
                _move_into_place(stage / place.name, place)
                _remove(stage)
                undo.pop_all()
                held.clear()  # too late: all of it is written
        except OSError as error:
            raise _unwritable(dest, error) from error


def _is_occupied(dest: Path) -> bool:
    try:
        if dest.is_symlink():
            raise DestinationError(
                f"Cannot write to `{dest}`",
                why=f"It is a symbolic link to `{dest.readlink()}`",
                hint="Name the directory itself",
            )
        if dest.exists() and not dest.is_dir():
            raise DestinationError(f"Cannot write to `{dest}`", why="It is a file", hint="Choose another directory")
        return dest.exists() and any(dest.iterdir())
    except OSError as error:
        raise _unwritable(dest, error) from error


def _make_parents(dest: Path, undo: ExitStack) -> Path:
    missing = [parent for parent in dest.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        undo.callback(_remove_if_empty, parent)
    return dest.parent


def _move_into_place(project: Path, dest: Path) -> None:
    if not dest.exists():
        project.rename(dest)  # fails, rather than nests or overwrites, when somebody was faster
        return
    if [entry.name for entry in dest.iterdir()] != [project.parent.name]:
        raise DestinationError(
            f"Cannot write into `{dest}/`", why="Somebody else wrote into it meanwhile", hint="Choose another directory"
        )
    # An empty directory that is there stays the same one, so its entries are moved one by one, and back.
    moved: list[str] = []
    try:
        for entry in sorted(project.iterdir()):
            entry.rename(dest / entry.name)
            moved.append(entry.name)
    except OSError:
        for name in moved:
            (dest / name).rename(project / name)
        raise


def _remove(stage: Path) -> None:
    with signals_held():
        shutil.rmtree(stage, ignore_errors=True)


def _remove_if_empty(parent: Path) -> None:
    with suppress(OSError):  # somebody else has put something there: it is theirs
        parent.rmdir()


def _in_the_way(shared: list[str], others: list[str]) -> Iterator[str]:
    if shared:
        yield f"It holds {_files(len(shared))} that the project also has: {_some(shared)}"
    if others:
        yield f"{'It also holds' if shared else 'It holds'}: {_some(others)}"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _unwritable(dest: Path, error: OSError) -> DestinationError:
    return DestinationError(
        f"Cannot write `{dest}`",
        why=f"{error.strerror or error}: `{error.filename or dest}`",
        hint="Choose a directory that you may write to",
    )
