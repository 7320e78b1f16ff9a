"""What git does for an update, in folders of our own: lines merged, renames found, a patch written.

None of it sees the user's repository, configuration, attributes or hooks.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bgtasks.errors import UpdateError
from bgtasks.update.trees import Kind, Node, Tree

__all__ = ["Labels", "Merged", "environment", "merge_text", "patch", "renames", "run"]

_SETTINGS = ("-c", "core.quotePath=false", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false")
_TRIVIAL_BYTES = 32


class Labels(NamedTuple):
    """What the markers of a conflict call the two sides."""

    mine: str
    theirs: str


class Merged(NamedTuple):
    """A merged text; where both sides changed the same lines, both stand in it between markers."""

    content: bytes
    clean: bool


def environment(home: str = "") -> dict[str, str]:
    """Give the environment for git: nothing of the hook or shell that we may run in.

    Args:
        home: Stands for the user's home, whose configuration then does not count; empty leaves it.
    """
    # Run in a hook, git is told by these which repository to use, and would use that one.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}
    isolated = {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(Path(home).parent),
    }
    return kept | own | (isolated if home else {})


def run(
    words: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    given: bytes = b"",
    fine: Collection[int] = (0,),
    settings: Sequence[str] = (),
) -> tuple[int, bytes]:
    """Run git and give its exit code and what it prints.

    Args:
        words: The command and what follows it.
        cwd: Where it runs.
        env: Its whole environment.
        given: What it reads from stdin.
        fine: Exit codes that are no failure.
        settings: `-c key=value`, which count before any configuration file.

    Raises:
        UpdateError: There is no git, or it failed.
    """
    command = [_program(env), *_SETTINGS, *settings, *words]
    done = subprocess.run(command, cwd=cwd, env=env, input=given, capture_output=True, check=False)
    if done.returncode not in fine:
        said = done.stderr.decode(errors="replace").strip()
        hint = "Mend what it says, then run the same command again"
        raise UpdateError(f"`git {words[0]}` failed with exit code {done.returncode}", why=said, hint=hint)
    return done.returncode, done.stdout


def _program(env: Mapping[str, str]) -> str:
    """Where git is; a PATH that leads into the directory that we stand in, a stranger's project, does not count."""
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which("git", path=os.pathsep.join(folder for folder in folders if Path(folder).is_absolute()))
    if found is None:
        raise UpdateError(
            "Cannot update without git, which merges the files",
            why="No `git` was found on PATH",
            hint="Install git, then run the same command again; the project itself needs no repository",
        )
    return found


def merge_text(base: bytes, mine: bytes, theirs: bytes, labels: Labels) -> Merged:
    """Merge the lines of two texts that both come from `base`."""
    with _scratch() as folder:
        for name, content in (("mine", mine), ("base", base), ("theirs", theirs)):
            (folder / name).write_bytes(content)
        words = ["merge-file", "-p", "-L", labels.mine, "-L", "before", "-L", labels.theirs, "mine", "base", "theirs"]
        code, content = run(words, folder, environment(str(folder)), fine=range(128))  # the number of conflicts
        return Merged(content, code == 0)


def renames(before: Tree, after: Tree) -> dict[str, str]:
    """New paths of files that are gone from `before` and stand, much alike, elsewhere in `after`."""
    # An empty `__init__.py` is like any other one: its likeness tells nothing.
    gone = {path: node for path, node in before.items() if path not in after and _is_telling(node)}
    new = {path: node for path, node in after.items() if path not in before and _is_telling(node)}
    if not gone or not new:
        return {}
    _, printed = _compare(gone, new, "--find-renames", "--diff-filter=R", "--name-status", "-z")
    fields = printed.decode(errors="surrogateescape").split("\0")
    moves = zip(fields[1::3], fields[2::3], strict=False)
    return {old.removeprefix("a/"): new.removeprefix("b/") for old, new in moves}


def patch(before: Tree, after: Tree) -> bytes:
    """Give the difference of two trees as a patch for `git apply`."""
    return _compare(before, after, "--no-renames", "--binary", "--no-prefix")[1]  # a/ and b/ are the prefixes


def _compare(before: Tree, after: Tree, *options: str) -> tuple[int, bytes]:
    with _scratch() as folder:
        for side, tree in (("a", before), ("b", after)):
            (folder / side).mkdir()
            for path, node in tree.items():
                _write(folder / side / path, node)
        words = ["diff", "--no-index", "--no-color", "--no-ext-diff", "--no-textconv", *options, "a", "b"]
        return run(words, folder, environment(str(folder)), fine=(0, 1))


def _is_telling(node: Node) -> bool:
    """Whether a file holds enough for a likeness to mean something."""
    return node.kind is Kind.FILE and len(node.content) > _TRIVIAL_BYTES


def _write(place: Path, node: Node) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if node.kind is Kind.LINK:
        place.symlink_to(os.fsdecode(node.content))
    else:
        place.write_bytes(node.content)
        place.chmod(0o755 if node.executable else 0o644)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bgtasks-merge-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
