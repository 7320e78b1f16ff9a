"""Three trees to one, path by path: what the project was made from, what it is, what it is to become.

The lines of a file are merged by a function that is given; here stands what becomes of the files. What the user
wrote is never removed: at worst it stays where it is, and the template's file is put aside, next to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bgtasks.update.trees import Kind, Node, Tree, is_text, same_text, to_unix, with_ends_of

__all__ = ["ASIDE", "Conflict", "Merge", "Renames", "merge", "put_aside"]

ASIDE = ".bgtasks-new"

MergeText = Callable[[bytes, bytes, bytes], tuple[bytes, bool]]
"""Base, mine and theirs to the merged text, and whether it is free of conflict markers."""


@dataclass(frozen=True)
class Renames:
    """New paths of files of the old tree: those that the user moved, and those that the template moved."""

    mine: Mapping[str, str] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conflict:
    """A path that a person has to look at.

    `theirs` is the template's file, None where all of it is merged in. `mine` is where the user's file was, if it
    has moved. `marked` says that both sides stand in the file.
    """

    path: str
    why: str
    theirs: Node | None = None
    mine: str = ""
    marked: bool = False


@dataclass
class Merge:
    """What becomes of a project: files to write, paths to remove, and what to tell its user."""

    writes: dict[str, Node] = field(default_factory=dict)
    removals: set[str] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def merge(base: Tree, mine: Tree, theirs: Tree, merge_text: MergeText, renames: Renames) -> Merge:
    """Merge the changes from `base` to `theirs` into `mine`.

    Args:
        base: What the template wrote when the project was made or last updated.
        mine: What is there now: at least every path of the other two, and whatever is in the way of one.
        theirs: What the template writes now.
        merge_text: Merges the lines of texts, with plain line ends.
        renames: Files of `base` that are elsewhere now.
    """
    work = _Merging(base, mine, theirs, merge_text, renames)
    for path in sorted(base, key=work.turn):
        work.follow(path)
    for path in sorted(theirs):
        work.add(path)
    return work.result


def put_aside(path: str, taken: Callable[[str], Node | None], node: Node, blocked_by: str = "") -> str:
    """A path for a template's file that cannot go where it belongs: `app/main.py.bgtasks-new`.

    Args:
        path: Where it belongs.
        taken: What lies at a path.
        node: The file; where the same lies already, it is not put there twice.
        blocked_by: The parent that is no directory, if that is the reason.
    """
    stem = blocked_by or path
    rest = path.removeprefix(blocked_by) if blocked_by else ""
    number = 1
    while True:
        ending = ASIDE if number == 1 else f"{ASIDE}-{number}"
        free = f"{stem}{ending}{rest}"
        there = taken(free)
        if there is None or there == node:
            return free
        number += 1


class _Node(NamedTuple):
    """A merged file, and how the two sides clash; `marked` when that stands in the file."""

    node: Node
    clash: str = ""
    marked: bool = False


class _Merging:
    """One merge under way."""

    def __init__(self, base: Tree, mine: Tree, theirs: Tree, merge_text: MergeText, renames: Renames) -> None:
        self.result = Merge()
        self._base, self._mine, self._theirs = base, mine, theirs
        self._merge_text = merge_text
        self._renames = renames
        self._followed: set[str] = set()  # files of theirs that some file of the base has become
        self._claimed: set[str] = set()  # paths that a file of the user's keeps or gets

    def turn(self, path: str) -> tuple[int, str]:
        """A key that sorts files of the base: one that the template moves comes after all that lies in its way."""
        return self._depth(path, ()), path

    def _depth(self, path: str, above: tuple[str, ...]) -> int:
        their_path = self._renames.theirs.get(path)
        # Two files that move into each other's place have no order; they are in conflict then.
        if their_path is None or path in above:
            return 0
        in_the_way = (other for other in self._base if other != path and _exclude_each_other(other, their_path))
        return 1 + max((self._depth(other, (*above, path)) for other in in_the_way), default=0)

    def follow(self, path: str) -> None:
        """Decide what becomes of a file that the template wrote the last time."""
        old = self._base[path]
        my_path = path if path in self._mine else self._renames.mine.get(path, "")
        their_path = path if path in self._theirs else self._renames.theirs.get(path, "")
        my, their = self._mine.get(my_path), self._theirs.get(their_path)
        self._followed.add(their_path)
        if their is None:
            self._dropped(path, my_path, old, my)
        elif my is None:
            self._deleted(path, their_path, old, their)
        elif my.kind is not Kind.FILE:
            self._replaced(path, their_path, (old, my, their))
        else:
            self._changed(path, my_path, their_path, (old, my, their))

    def add(self, path: str) -> None:
        """Decide what becomes of a file that the template writes for the first time."""
        # A file of the template's that an old one has turned into is no new one.
        if path in self._followed:
            return
        their, my = self._theirs[path], self._mine.get(path)
        if in_the_way := self._blocker(path):
            kind = self._mine[in_the_way].kind.value
            self._blame(path, f"the template adds it, but `{in_the_way}` is a {kind} of yours", their)
        elif path in self._claimed:
            self._blame(path, "the template adds it, but a file that you renamed has that name", their)
        elif my is None or (my.kind is Kind.DIRECTORY and self._becomes_empty(path)):
            self.result.writes[path] = their
        elif not same_text(my, their):
            # There is no common ancestor: against an empty one, equal lines merge and all others clash.
            merged = self._merged(Node(Kind.FILE), my, their)
            self._keep(path, path, my, merged.node)
            if merged.clash:
                why = f"you and the template both added it{merged.clash}"
                self._blame(path, why, their, mine=path, marked=merged.marked)

    def _dropped(self, path: str, my_path: str, old: Node, my: Node | None) -> None:
        """The template has it no more."""
        if my is None:
            return
        # A file that was renamed or made executable was wanted by somebody, whatever is in it.
        if my_path == path and same_text(my, old) and my.executable == old.executable:
            self.result.removals.add(path)
            return
        self._claimed.add(my_path)
        self._note(f"{my_path} is no longer part of the template; it stays, because you changed it")

    def _deleted(self, path: str, their_path: str, old: Node, their: Node) -> None:
        """The user has it no more."""
        if their_path != path:
            self._note(f"{path} stays deleted; the template has renamed it to {their_path}")
        elif their != old:
            self._note(f"{path} stays deleted; the template has changed it")

    def _replaced(self, path: str, their_path: str, nodes: tuple[Node, Node, Node]) -> None:
        """The user has put something else in its place, which nothing moves or merges."""
        old, my, their = nodes
        self._claimed.add(path)
        if their_path != path:
            why = f"the template renames it to {their_path}, and yours is a {my.kind.value}"
            self._blame(path, why, their)
        elif their != old:
            self._blame(path, f"you and the template both changed it, and yours is a {my.kind.value}", their)

    def _changed(self, path: str, my_path: str, their_path: str, nodes: tuple[Node, Node, Node]) -> None:
        """Both have it, perhaps elsewhere."""
        old, my, their = nodes
        merged = self._merged(*nodes)
        target = self._target(path, my_path, their_path, merged.node)
        self._claimed.add(target)
        self._keep(my_path, target, my, merged.node)
        if merged.clash:
            why = f"you and the template both changed it{merged.clash}"
            self._blame(target, why, their, mine=my_path, marked=merged.marked)
        if target != my_path and not same_text(my, old):
            self._note(f"{path} is {target} now; what you changed in it went along")
        if target == my_path != path and not same_text(old, their):
            self._note(f"{my_path} got what the template changed in {path}, which you renamed")

    def _target(self, path: str, my_path: str, their_path: str, node: Node) -> str:
        """Where a file belongs that one side, or both, may have moved."""
        # Only one side has moved it, or both to the same place.
        if their_path in (path, my_path):
            return my_path
        if my_path != path:
            self._blame(my_path, f"it was {path}: you renamed it so, and the template to {their_path}")
            return my_path
        there = self._mine.get(their_path, node)
        emptied = there.kind is Kind.DIRECTORY and self._becomes_empty(their_path, besides=path)
        if (there != node and not emptied) or self._blocker(their_path) not in ("", path):
            self._blame(my_path, f"the template renames it to {their_path}, where something of yours is")
            return my_path
        return their_path

    def _merged(self, old: Node, my: Node, their: Node) -> _Node:
        """The user's file with what the template changed."""
        if my.kind is not Kind.FILE:
            return _Node(my, f", and yours is a {my.kind.value}")
        # Permissions merge as lines do: who changed them decides, and the user before the template.
        executable = their.executable if my.executable == old.executable else my.executable
        mine = Node(my.kind, my.content, executable)
        if same_text(old, their) or same_text(my, their):
            return _Node(mine)
        if same_text(my, old):
            return _Node(Node(their.kind, _ended(their.content, my, old), executable))
        if not (is_text(old) and is_text(my) and is_text(their)):
            return _Node(mine, ", and it is no text")
        # With the user's CRLF in one of the three, every line would differ and the whole file clash.
        content, clean = self._merge_text(old.content, _plain(my, old), their.content)
        node = Node(Kind.FILE, _ended(content, my, old), executable)
        return _Node(node) if clean else _Node(node, ", in the same place", marked=True)

    def _keep(self, my_path: str, target: str, my: Node, node: Node) -> None:
        if target != my_path:
            self.result.removals.add(my_path)
        if target != my_path or node != my:
            self.result.writes[target] = node

    def _blame(self, path: str, why: str, theirs: Node | None = None, *, mine: str = "", marked: bool = False) -> None:
        self.result.conflicts.append(Conflict(path, why, theirs, mine, marked))

    def _note(self, text: str) -> None:
        self.result.notes.append(text)

    def _blocker(self, path: str) -> str:
        """A parent of the path that is, and stays, something else than a directory."""
        parts = path.split("/")[:-1]
        parents = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        return next((parent for parent in parents if self._stays(parent)), "")

    def _stays(self, path: str) -> bool:
        node = self._mine.get(path)
        return node is not None and node.kind is not Kind.DIRECTORY and path not in self.result.removals

    def _becomes_empty(self, directory: str, besides: str = "") -> bool:
        """Whether all that lies in a directory goes away, not counting a file that is about to."""
        return {path for path in self._mine if path.startswith(f"{directory}/")} - {besides} <= self.result.removals


def _exclude_each_other(one: str, other: str) -> bool:
    """Whether one path leads through the other, so that a file cannot be at both."""
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _plain(my: Node, old: Node) -> bytes:
    """The user's text, with plain line ends unless the template's own were others."""
    return to_unix(my.content) if _is_plain(old) else my.content


def _ended(content: bytes, my: Node, old: Node) -> bytes:
    """A text of the template, with the line ends that the user has given to the file."""
    return with_ends_of(my, content) if _is_plain(old) else content


def _is_plain(node: Node) -> bool:
    return to_unix(node.content) == node.content
