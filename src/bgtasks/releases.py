"""Every released template that this installation knows, and its own.

A checkout has its own template as loose files and the released ones in `history/`, one file for each. A wheel carries
all of them in one archive.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path

from bgtasks import __version__
from bgtasks.archive import Archive, Member, joined, load, save, snapshot
from bgtasks.errors import ReleaseError, RenderError

__all__ = ["ARCHIVE", "HISTORY", "SOURCE", "current", "known", "order", "pack", "recorded", "template_root"]

SOURCE = "gh:bgtasks/bgtasks"
ARCHIVE = "releases.xz"
HISTORY = "history"

_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:\.dev([0-9]{1,6}))?")
_RELEASED = float("inf")


def current() -> str:
    """The version of this installation's own template."""
    return __version__


def known() -> tuple[str, ...]:
    """Every version that can be rendered, oldest first; the last is this installation's own."""
    return tuple(sorted({*_versions(), current()}, key=order))


def order(version: str) -> tuple[float, ...]:
    """A key that sorts versions; what is no version sorts first. `0.2.0.dev0` comes before `0.2.0`."""
    match = _VERSION.fullmatch(version)
    if not match:
        return ()
    # A development version sorts before the release that it leads to.
    *numbers, dev = match.groups()
    return *(float(number) for number in numbers), _RELEASED if dev is None else float(dev)


@contextmanager
def template_root(version: str | None = None) -> Iterator[Path]:
    """Give a plain directory with the copier.yml, matrix.yml, macros, pins/ and template/ of a version.

    It is always a fresh copy: Copier takes a directory that is a git checkout for a repository and
    would clone its last tag instead of reading the files that lie there.

    Args:
        version: One of `known`; this installation's own when it is left out.

    Raises:
        ReleaseError: This installation does not have that version.
        RenderError: The copy could not be written, or the installation carries no template.
    """
    with ExitStack() as stack:
        try:
            folder = tempfile.TemporaryDirectory(prefix="bgtasks-template-", ignore_cleanup_errors=True)
            root = Path(stack.enter_context(folder))
            # Written by us from an archive of ours: no name in it can lead out of the folder.
            for member in _archive(version or current()).members(version or current()):
                _write(root, member)
        except OSError as error:
            raise RenderError(
                "Cannot unpack the template into a temporary directory",
                why=str(error),
                hint="Make room there, or let TMPDIR name another directory",
            ) from error
        yield root


def pack(checkout: Path, archive: Path) -> None:
    """Write every version that a checkout knows into one archive, the same bytes for the same files.

    Loose files in a wheel would not do: pip byte-compiles every `.py` that it installs, and the
    compiled files would then be rendered into projects.
    """
    save(joined([recorded(checkout), snapshot(checkout, current())]), archive)


def recorded(checkout: Path) -> Archive:
    """The releases in the history of a checkout, oldest first."""
    return joined(load(path) for path in sorted(_history(checkout), key=lambda path: order(path.stem)))


def _history(checkout: Path) -> list[Path]:
    return [path for path in checkout.joinpath(HISTORY).glob("*.xz") if order(path.stem)]


def _versions() -> set[str]:
    archive, checkout = _places()
    return set(_load(archive).versions) if archive.is_file() else {path.stem for path in _history(checkout)}


def _archive(version: str) -> Archive:
    """The archive that holds a version."""
    archive, checkout = _places()
    if not archive.is_file() and not (checkout / "copier.yml").is_file():
        raise RenderError(
            "This installation of bgtasks carries no template",
            why=f"Neither `{archive}` nor `{checkout / 'copier.yml'}` exists",
            hint=f"Install bgtasks again: `{sys.executable} -m pip install --force-reinstall bgtasks`",
        )
    if version not in known():
        raise ReleaseError(
            f"There is no release {version}",
            why=f"This is bgtasks {current()}, which knows {', '.join(known())}",
            hint="Choose one of these, or install the bgtasks that has it",
        )
    if archive.is_file():
        return _load(archive)
    return snapshot(checkout, version) if version == current() else recorded(checkout)


@lru_cache(maxsize=1)
def _load(archive: Path) -> Archive:
    return load(archive)


def _places() -> tuple[Path, Path]:
    """Where the archive of a wheel would lie, and what the checkout would be."""
    return Path(__file__).with_name(ARCHIVE), Path(__file__).parents[2]


def _write(root: Path, member: Member) -> None:
    path = root / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(member.content)
    if member.executable:
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)  # executable for whom the umask lets read
