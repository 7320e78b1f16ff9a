"""Write an update into a project: all of it, or nothing.

New files are written into a folder of their own first, which needs all of the room on the disk. Then each is moved
into place in one step, and what it replaces is kept until the last one is there. So at any moment, also when this
is killed, a file is either the old one or the new one.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bgtasks.errors import UpdateError
from bgtasks.interrupts import signals_held
from bgtasks.project import STAGE
from bgtasks.update.plan import Change
from bgtasks.update.trees import Kind, blocker, look

__all__ = ["apply", "refuse_half_done"]

_OLD, _NEW = "old", "new"  # folders of the stage, with the files under their paths in the project
_DONE = "done"  # the name of the first once all is written, and nothing in it is wanted back


def apply(root: Path, changes: Sequence[Change]) -> None:
    """Write changes in their order; whatever goes wrong, and Ctrl-C too, leaves the project as it was.

    Raises:
        UpdateError: Something cannot be written, or is no longer what it was when the changes were worked out.
    """
    if not changes:
        return
    try:
        with ExitStack() as undo:
            with signals_held():
                stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=root))
                undo.callback(_discard, stage)
            # Nothing in the project is touched here, so this may be broken off at any time.
            (stage / _OLD).mkdir()
            for change in changes:
                _prepare(root, stage, change)
            with signals_held() as held:
                _check(root, changes)
                with ExitStack() as moves:  # taken back while signals are held, too
                    for change in changes:
                        _replace(root, stage, change, moves)
                    # The point of no return is one rename: a kill before it leaves the old files to be put back, one
                    # after it leaves a folder that nobody needs.
                    (stage / _OLD).rename(stage / _DONE)
                    moves.pop_all()
                _discard(stage)
                held.clear()  # too late: all of it is written
    except OSError as error:
        refuse_half_done(root)
        named = str(error.filename or root)
        raise UpdateError(
            f"Cannot write `{root if STAGE in named else named}`",  # nobody knows the stage by name
            why=error.strerror or str(error),
            hint="Mend that, then run the same command again; the project is as it was",
        ) from error


def refuse_half_done(root: Path) -> None:
    """Refuse a project in which an update was killed, or could not put everything back.

    Raises:
        UpdateError: Names what lies aside, and how to put it back.
    """
    for stage in root.glob(f"{STAGE}*"):
        if kept := _kept(stage):
            raise UpdateError(
                f"An update of `{root.name}` was broken off half way",
                why=f"What these files were before it lies in `{stage.name}/{_OLD}`:\n" + "\n".join(kept),
                hint=f"Put them back with `cp -R {stage.name}/{_OLD}/. .`, remove `{stage.name}`, and update again",
            )


def _kept(stage: Path) -> list[str]:
    """The files that a stage still holds for the project; none in a folder that only looks like one."""
    old = stage / _OLD
    return sorted(path.relative_to(old).as_posix() for path in old.rglob("*") if not path.is_dir())


def _prepare(root: Path, stage: Path, change: Change) -> None:
    """Write a new file into the stage, with the owner and the permissions of the one that it replaces."""
    old, new, path = stage / _OLD / change.path, stage / _NEW / change.path, root / change.path
    if change.before is not None and change.before.kind is Kind.FILE:
        old.parent.mkdir(parents=True, exist_ok=True)
    if change.after is None:
        return
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(change.after.content)
    if change.before is not None and change.before.kind is Kind.FILE:
        status = path.stat(follow_symlinks=False)
        # A file that replaces another by rename is a new one, which would else belong to whoever runs this.
        new.chmod(status.st_mode & 0o7777)
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # nobody else may give files away
            os.chown(new, status.st_uid, status.st_gid)
    mode = new.stat().st_mode & 0o7777
    if bool(mode & 0o100) != change.after.executable:
        new.chmod(mode | (mode & 0o444) >> 2 if change.after.executable else mode & ~0o111)


def _check(root: Path, changes: Sequence[Change]) -> None:
    """Refuse when somebody has written into the project meanwhile."""
    for change in changes:
        if look(root, change.path) != change.before:
            raise UpdateError(
                f"`{change.path}` has changed since the update was worked out",
                why="Nothing was written",
                hint="Run the same command again",
            )


def _replace(root: Path, stage: Path, change: Change, undo: ExitStack) -> None:
    """Move one new file into place, or one old file out of the way."""
    path, old, new = root / change.path, stage / _OLD / change.path, stage / _NEW / change.path
    if change.after is None:
        # The way back is known before the step is taken: Ctrl-C may come right after it.
        undo.callback(_put_back, old, path)
        path.rename(old)
        _remove_empty(root, path.parent, undo)
        return
    if in_the_way := blocker(root, change.path):
        raise UpdateError(
            f"`{in_the_way}` is no directory any more",
            why=f"`{change.path}` belongs there; nothing was written",
            hint="Run the same command again",
        )
    if change.before is not None and change.before.kind is Kind.FILE:
        _keep(path, old)
        undo.callback(_put_back, old, path)
    else:
        _remove_folders(path, undo)
        _make_parents(root, path, undo)
        undo.callback(_take_out, new, path)
    new.replace(path)


def _keep(path: Path, old: Path) -> None:
    try:
        # A second name costs no room, and the file is at its path all the time.
        os.link(path, old)
    except OSError:  # a file system without hard links
        shutil.copy2(path, old)


def _make_parents(root: Path, path: Path, undo: ExitStack) -> None:
    missing = [parent for parent in path.parents if root in parent.parents and not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        undo.callback(parent.rmdir)


def _remove_empty(root: Path, directory: Path, undo: ExitStack) -> None:
    """Remove a directory in which nothing is left, and its parents likewise."""
    while directory != root and not any(directory.iterdir()):
        _remove_directory(directory, undo)
        directory = directory.parent


def _remove_folders(path: Path, undo: ExitStack) -> None:
    """Remove a directory that holds nothing but directories; one that holds more stops the update."""
    for folder, _, _ in os.walk(path, topdown=False):
        _remove_directory(Path(folder), undo)


def _remove_directory(directory: Path, undo: ExitStack) -> None:
    mode = directory.stat().st_mode & 0o7777
    directory.rmdir()
    undo.callback(_make_directory, directory, mode)


def _make_directory(path: Path, mode: int) -> None:
    path.mkdir()
    path.chmod(mode)


def _put_back(old: Path, path: Path) -> None:
    if not old.exists():
        return
    if path.exists() and path.samefile(old):
        old.unlink()  # it was not replaced yet; a rename between two names of one file does nothing
    else:
        old.replace(path)


def _take_out(new: Path, path: Path) -> None:
    if not new.exists():
        path.unlink()


def _discard(stage: Path) -> None:
    """Remove the stage, but nothing that could not be put back."""
    if not _kept(stage):
        shutil.rmtree(stage, ignore_errors=True)
