"""The template as data: the checkout's own files, or the one archive that the wheel carries."""

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from bgtasks.errors import RenderError

__all__ = ["ARCHIVE", "SOURCE", "pack", "template_root"]

SOURCE = "gh:bgtasks/bgtasks"
ARCHIVE = "template.tar.xz"

_PARTS = ("copier.yml", "matrix.yml", "*.jinja", "pins", "template")
_CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


class _Member(NamedTuple):
    name: str
    content: bytes
    executable: bool


@contextmanager
def template_root() -> Iterator[Path]:
    """Give a plain directory with copier.yml, matrix.yml, the macros, pins/ and template/.

    It is always a fresh copy: Copier takes a directory that is a git checkout for a repository and
    would clone its last tag instead of reading the files that lie there.

    Raises:
        RenderError: The copy could not be written, or the installation carries no template.
    """
    with tempfile.TemporaryDirectory(prefix="bgtasks-template-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        try:
            for member in _members():
                _write(root, member)
        except OSError as error:
            raise RenderError(
                f"Cannot unpack the template into `{root}`",
                why=str(error),
                hint="Make room there, or let TMPDIR name another directory",
            ) from error
        yield root


def pack(checkout: Path, archive: Path) -> None:
    """Write the template of a checkout into one xz archive, the same bytes for the same files.

    Loose files in a wheel would not do: pip byte-compiles every `.py` that it installs, and the
    compiled files would then be rendered into projects.
    """
    with tarfile.open(archive, "w:xz") as tar:
        for member in _checkout_members(checkout):
            info = tarfile.TarInfo(member.name)
            info.size = len(member.content)
            info.mode = 0o755 if member.executable else 0o644
            tar.addfile(info, BytesIO(member.content))


def _members() -> Iterator[_Member]:
    archive = Path(__file__).with_name(ARCHIVE)
    checkout = Path(__file__).parents[2]
    if archive.is_file():
        return _archive_members(archive)
    if (checkout / "copier.yml").is_file():
        return _checkout_members(checkout)
    raise RenderError(
        "This installation of bgtasks carries no template",
        why=f"Neither `{archive}` nor `{checkout / 'copier.yml'}` exists",
        hint=f"Install bgtasks again: `{sys.executable} -m pip install --force-reinstall bgtasks`",
    )


def _archive_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:xz") as tar:
        for info in tar:
            stream = tar.extractfile(info)
            if stream is not None:
                yield _Member(info.name, stream.read(), bool(info.mode & 0o100))


def _checkout_members(checkout: Path) -> Iterator[_Member]:
    for part in _PARTS:
        for top in sorted(checkout.glob(part)):
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if path.is_file() and not _CACHES.intersection(path.parts):
                    yield _Member(
                        path.relative_to(checkout).as_posix(), path.read_bytes(), bool(path.stat().st_mode & 0o100)
                    )


def _write(root: Path, member: _Member) -> None:
    path = root / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(member.content)
    if member.executable:
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)  # executable for whom the umask lets read
