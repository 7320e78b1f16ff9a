"""Everything that an update will write, worked out before it writes anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import yaml

from bgtasks.project import ANSWERS_FILE
from bgtasks.update import git
from bgtasks.update.merge import Conflict, Merge, Renames, merge, put_aside
from bgtasks.update.renders import Renders, rendered
from bgtasks.update.repository import Repository
from bgtasks.update.survey import candidates, survey
from bgtasks.update.target import Target
from bgtasks.update.trees import Kind, Node, Tree, blocker, look, same_text, to_unix, with_ends_of

__all__ = ["Change", "Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Change:
    """One path: what lies there, and what will; None for nothing."""

    path: str
    before: Node | None
    after: Node | None


@dataclass(frozen=True)
class Plan:
    """All of an update.

    Attributes:
        root: The project.
        changes: In the order in which they are written: the answers file comes last.
        conflicts: Paths, each with a sentence, that a person has to look at.
        notes: Other sentences for that person.
        uncommitted: Paths of `changes` with edits that the user's repository does not have.
        in_repository: Whether there is such a repository.
    """

    root: Path
    changes: tuple[Change, ...]
    conflicts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    uncommitted: tuple[str, ...]
    in_repository: bool

    def patch(self) -> bytes:
        """The changes as a patch for `git apply`, with paths from the project's root."""
        before = {change.path: change.before for change in self.changes}
        after = {change.path: change.after for change in self.changes}
        return git.patch(_files(before), _files(after))


def make_plan(target: Target, repository: Repository | None) -> Plan:
    """Work out an update.

    Args:
        target: Where the project goes.
        repository: The one that it lies in.

    Raises:
        OSError: A file of the project cannot be read.
        UpdateError: There is no git.
        RenderError: A template is broken, or there is no room to render it.
    """
    root = target.project.root
    renders = rendered(target)
    merged, mine = _merged(target, renders, repository)
    changes, conflicts = _changes(root, merged, mine, repository)
    answers, dropped = _answers_file(mine[ANSWERS_FILE], renders, target)
    # Last, so that a project never claims a version whose files it does not have yet.
    changes = [*_in_order(changes), Change(ANSWERS_FILE, mine[ANSWERS_FILE], answers)]
    changes = [change for change in changes if change.before != change.after]
    return Plan(
        root,
        tuple(changes),
        tuple(conflicts),
        (*target.notes, *merged.notes, *dropped),
        tuple(_uncommitted(changes, renders.base, repository)),
        repository is not None,
    )


def _merged(target: Target, renders: Renders, repository: Repository | None) -> tuple[Merge, dict[str, Node]]:
    root, (base, theirs) = target.project.root, renders
    mine = survey(root, {*base, *theirs})
    own = candidates(root, base, mine, repository)
    # Between backends a likeness is chance: one backend's worker is not the other's under a new name. And the
    # same version does not rename.
    moved = {} if target.switches or target.old is target.new else git.renames(base, theirs)
    renames = Renames(git.renames(base, {**mine, **own}), moved)
    mine |= {path: own[path] for path in renames.mine.values() if path in own}
    merge_text = partial(git.merge_text, labels=git.Labels("yours", f"bgtasks {target.new.version}"))
    merged = merge(_without_answers(base), _without_answers(mine), _without_answers(theirs), merge_text, renames)
    return merged, mine


def _without_answers(tree: Tree) -> Tree:
    return {path: node for path, node in tree.items() if path != ANSWERS_FILE}


def _changes(
    root: Path, merged: Merge, mine: Tree, repository: Repository | None
) -> tuple[list[Change], list[tuple[str, str]]]:
    """What to write, with the template's side of every conflict that cannot stand in the file itself."""
    writes: dict[str, Node | None] = {**dict.fromkeys(merged.removals), **merged.writes}
    marked = [conflict.mine for conflict in merged.conflicts if conflict.marked]
    precious = repository.ignored(marked) if repository and marked else set()  # git could not give them back
    conflicts = []
    for conflict in merged.conflicts:
        where = ""
        # Markers would overwrite what no commit has: the user's file stays, the template's goes beside it.
        if conflict.mine in precious:
            for path in (conflict.path, conflict.mine):
                writes.pop(path, None)
        if conflict.theirs and (not conflict.marked or conflict.mine in precious):
            aside = _aside(root, conflict, conflict.theirs, writes)
            writes[aside] = conflict.theirs
            where = f": yours stays, the template's is in {aside}"
        conflicts.append((conflict.path, conflict.why + where))
    return [Change(path, _there(root, path, mine), node) for path, node in sorted(writes.items())], conflicts


def _aside(root: Path, conflict: Conflict, node: Node, writes: Mapping[str, Node | None]) -> str:
    def taken(path: str) -> Node | None:
        return writes.get(path) or look(root, path)

    return put_aside(conflict.path, taken, node, blocker(root, conflict.path))


def _in_order(changes: Iterable[Change]) -> list[Change]:
    """First what is in the way of a new file, then the new files, then what goes: the last of a line goes last."""
    every = list(changes)
    written = {change.path for change in every if change.after}
    inside = {str(parent) for path in written for parent in PurePosixPath(path).parents}

    def rank(change: Change) -> int:
        if change.after:
            return 1
        parents = {str(parent) for parent in PurePosixPath(change.path).parents}
        return 0 if change.path in inside or parents & written else 2

    return sorted(every, key=rank)


def _there(root: Path, path: str, mine: Tree) -> Node | None:
    return mine.get(path) or look(root, path)


def _answers_file(my: Node, renders: Renders, target: Target) -> tuple[Node, list[str]]:
    """The answers file: the template's, with the user's comments where they fit, and what is lost of it."""
    # This file must come out readable for the next update, so it is never left with markers in it.
    old, new = renders.base[ANSWERS_FILE].content, renders.theirs[ANSWERS_FILE].content
    merged = git.merge_text(old, to_unix(my.content), new, git.Labels("yours", f"bgtasks {target.new.version}"))
    if merged.clean and yaml.safe_load(merged.content) == yaml.safe_load(new):
        new = merged.content
    lost = [line for line in to_unix(my.content).splitlines() if line not in {*old.splitlines(), *new.splitlines()}]
    notes = [f"{ANSWERS_FILE}: your line `{line.decode(errors='replace')}` is dropped" for line in lost]
    return Node(my.kind, with_ends_of(my, new), my.executable), notes


def _uncommitted(changes: Iterable[Change], base: Tree, repository: Repository | None) -> list[str]:
    """Edits of the user's that only the working tree holds, in files that will change."""
    if repository is None:
        return []
    # A file that is as the template wrote it holds nothing of the user's, committed or not.
    pristine = {to_unix(node.content) for node in base.values()}
    files = {change.path: change.before for change in changes if change.before and change.before.kind is Kind.FILE}
    edited = {path: node for path, node in files.items() if to_unix(node.content) not in pristine}
    committed = repository.committed(list(edited))
    loose = [path for path, node in edited.items() if not _is_committed(node, committed.get(path))]
    return sorted(set(loose) - repository.ignored(loose))


def _is_committed(node: Node, committed: bytes | None) -> bool:
    return committed is not None and same_text(node, Node(node.kind, committed))


def _files(nodes: Mapping[str, Node | None]) -> dict[str, Node]:
    return {path: node for path, node in nodes.items() if node and node.kind is Kind.FILE}
