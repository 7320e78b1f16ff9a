"""One run of `bgtasks update`: read, work out, say, ask, write."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgtasks.console import say, warn
from bgtasks.errors import NoTerminalError, UpdateError
from bgtasks.project import ANSWERS_FILE, Project, read_project
from bgtasks.update.apply import apply, refuse_half_done
from bgtasks.update.hand_edits import refuse_hand_edits
from bgtasks.update.plan import Plan, make_plan
from bgtasks.update.report import announcement, summary
from bgtasks.update.repository import find_repository
from bgtasks.update.target import Target, Wishes, aimed

__all__ = ["Manner", "nobody_to_ask", "update"]


@dataclass(frozen=True)
class Manner:
    """How an update is done: `confirm` asks whether to write, None when it may be written without a question."""

    confirm: Callable[[], bool] | None = None
    check: bool = False
    diff: bool = False
    dry_run: bool = False
    force: bool = False


def update(directory: Path, wishes: Wishes, manner: Manner) -> int:
    """Update the project in a directory.

    Returns:
        The exit code: 1 when files are, or would be, in conflict, and with `check` when there is something to do.

    Raises:
        BgtasksError: It cannot be done; the project is as it was.
    """
    project = read_project(directory)
    refuse_half_done(project.root)
    with _working_out(project), aimed(project, wishes) as target:
        if manner.check:
            return _check(target)
        repository = find_repository(project.root, ANSWERS_FILE)
        if repository and not manner.force:
            refuse_hand_edits(target, repository)
        if target.is_reached:
            if not manner.diff:
                say([f"{project.root.name} is up to date with bgtasks {target.new.version}: 0 changed"])
            return 0
        plan = make_plan(target, repository)
        if manner.diff:
            return _print_patch(plan)
    say(announcement(target, plan))
    if not manner.dry_run:
        _write(plan, manner)
    elif plan.uncommitted and not manner.force:
        warn("The update would stop at edits that are not committed:", plan.uncommitted)
    return int(bool(plan.conflicts))


def _check(target: Target) -> int:
    name, old, new = target.project.root.name, target.old.version, target.new.version
    if target.is_reached:
        say([f"{name} is up to date with bgtasks {new}"])
        return 0
    behind = f"is at bgtasks {old}, behind {new}" if old != new else "was made from other answers"
    say([f"{name} {behind}: run `bgtasks update`"])
    return 1


def _print_patch(plan: Plan) -> int:
    """The patch on stdout and nothing else, for `git apply`; what is in conflict goes to stderr."""
    # As bytes: a patch of a file in another encoding would not survive being text.
    sys.stdout.buffer.write(plan.patch())
    sys.stdout.buffer.flush()
    if plan.conflicts:
        warn("The patch leaves files in conflict:", (f"{path}: {why}" for path, why in plan.conflicts))
    return int(bool(plan.conflicts))


def _write(plan: Plan, manner: Manner) -> None:
    if plan.uncommitted and not manner.force:
        raise UpdateError(
            "Files that would change have edits that are not committed",
            why="\n".join(plan.uncommitted),
            hint="Commit or stash them, so that you can take the update back; or add `--force`",
        )
    if manner.confirm and not manner.confirm():
        say(["Nothing was written"])
        return
    apply(plan.root, plan.changes)
    say(["", f"Updated {plan.root.name}: {summary(plan)}"])
    if plan.conflicts:
        say(["Look at the files in conflict: what both sides changed stands between `<<<<<<<` and `>>>>>>>`"])


@contextmanager
def _working_out(project: Project) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UpdateError(
            f"Cannot work out what to change in `{project.root}`",
            why=f"{error.strerror or error}: `{error.filename or project.root}`",
            hint="Mend that, then run the same command again; nothing was written",
        ) from error


def nobody_to_ask() -> bool:
    """Stand for the question whether to write where there is no terminal.

    Raises:
        NoTerminalError: Always.
    """
    raise NoTerminalError(
        "Nobody is there to say whether this may be written",
        hint="Add `--yes` to write it, or `--dry-run` to see it only",
    )
