"""What there is of a project, as far as an update has to know it."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bgtasks.project import STAGE
from bgtasks.update.repository import Repository
from bgtasks.update.trees import Kind, Node, Tree, blocker, read_tree

__all__ = ["candidates", "survey"]

_MOST_LOOKED_AT = 100_000
_MOST_CANDIDATES = 1000
_PASSED_OVER = {".git", ".venv", "__pycache__", "node_modules", "venv"}


def survey(root: Path, paths: Iterable[str]) -> dict[str, Node]:
    """What lies at these paths, and what is in the way of one of them."""
    wanted = set(paths)
    wanted |= {parent for path in wanted if (parent := blocker(root, path))}
    found = read_tree(root, wanted)
    # Where the template wants a file and a directory lies, what is in it decides whether it may go.
    for path in [path for path, node in found.items() if node.kind is Kind.DIRECTORY]:
        inside = islice(_walk(root / path, ()), _MOST_LOOKED_AT)
        found |= {f"{path}/{name}": found.get(f"{path}/{name}", Node(Kind.OTHER)) for name in inside}
    return found


def candidates(root: Path, base: Tree, mine: Tree, repository: Repository | None) -> dict[str, Node]:
    """Files of the user's own that may be files of `base` under a new name: of a like size, and not ignored."""
    sizes = [len(node.content) for path, node in base.items() if path not in mine]
    if not any(sizes):
        return {}
    # Git answers from its index, also in a large repository; without one the walk has to end somewhere.
    names = repository.files() if repository else islice(_walk(root, _PASSED_OVER), _MOST_LOOKED_AT)
    own = (name for name in names if name not in base and name not in mine and not name.startswith(STAGE))
    fitting = (name for name in own if _fits(root / name, sizes))
    return read_tree(root, islice(fitting, _MOST_CANDIDATES))


def _fits(path: Path, sizes: Sequence[int]) -> bool:
    """Whether a file is neither twice nor half as large as one of these: git calls nothing else a rename."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and any(size <= 2.2 * status.st_size <= 4.8 * size for size in sizes)


def _walk(top: Path, passed_over: Collection[str]) -> Iterator[str]:
    """Every file below a directory, relative to it, but for folders of some names; no symbolic link is followed."""
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in passed_over]
        for name in (*names, *(name for name in folders if Path(folder, name).is_symlink())):
            yield Path(folder, name).relative_to(top).as_posix()
