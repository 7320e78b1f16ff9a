"""Versions of the template as data: which files each has, and every content once.

One xz file: a line of JSON, then the contents in the order in which the line names them. A content is named by the
start of its SHA-256, so a version that changes three files costs three contents and a list of names.
"""

import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["Archive", "Member", "joined", "load", "save", "snapshot"]

_PARTS = ("copier.yml", "matrix.yml", "*.jinja", "pins", "template")
_CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_NAME_LENGTH = 16


class Member(NamedTuple):
    """One file of a version; `name` is relative to the template's root, with slashes."""

    name: str
    content: bytes
    executable: bool


@dataclass(frozen=True)
class Archive:
    """Versions by number, each with its files by name, and the contents that those files name.

    An archive may lack contents that another one has: the record of a release holds only what was new in it.
    """

    versions: Mapping[str, Mapping[str, tuple[str, bool]]]
    contents: Mapping[str, bytes]

    def members(self, version: str) -> Iterator[Member]:
        """Give the files of a version, sorted by name."""
        for name, (digest, executable) in sorted(self.versions[version].items()):
            yield Member(name, self.contents[digest], executable)

    def without(self, known: "Archive") -> "Archive":
        """The same versions with those contents only that `known` does not have."""
        new = {digest: content for digest, content in self.contents.items() if digest not in known.contents}
        return Archive(self.versions, new)


def snapshot(checkout: Path, version: str) -> Archive:
    """The template of a checkout as it stands, called `version`."""
    names: dict[str, tuple[str, bool]] = {}
    contents: dict[str, bytes] = {}
    for member in _files(checkout):
        digest = hashlib.sha256(member.content).hexdigest()[:_NAME_LENGTH]
        names[member.name] = digest, member.executable
        contents[digest] = member.content
    return Archive({version: names}, contents)


def joined(archives: Iterable[Archive]) -> Archive:
    """The versions and the contents of all of these; of two versions with the same number, the later one."""
    versions: dict[str, Mapping[str, tuple[str, bool]]] = {}
    contents: dict[str, bytes] = {}
    for archive in archives:
        versions |= archive.versions
        contents |= archive.contents
    return Archive(versions, contents)


def load(path: Path) -> Archive:
    """The archive in a file that `save` wrote."""
    head, _, body = lzma.decompress(path.read_bytes()).partition(b"\n")
    index = json.loads(head)
    contents: dict[str, bytes] = {}
    start = 0
    for digest, size in index["contents"]:
        contents[digest] = body[start : start + size]
        start += size
    versions = {
        version: {name: (digest, bool(executable)) for name, (digest, executable) in files.items()}
        for version, files in index["versions"].items()
    }
    return Archive(versions, contents)


def save(archive: Archive, path: Path) -> None:
    """Write an archive into one file, the same bytes for the same archive."""
    # The order is fixed by the names alone, so that two builds of a wheel are the same bytes.
    order = list(dict.fromkeys(_by_name(archive)))
    index = {
        "versions": {
            version: {name: [digest, int(executable)] for name, (digest, executable) in sorted(files.items())}
            for version, files in archive.versions.items()
        },
        "contents": [[digest, len(archive.contents[digest])] for digest in order],
    }
    body = b"".join(archive.contents[digest] for digest in order)
    head = json.dumps(index, separators=(",", ":")).encode()
    path.write_bytes(lzma.compress(head + b"\n" + body, preset=9 | lzma.PRESET_EXTREME))


def _by_name(archive: Archive) -> Iterator[str]:
    """The contents that there are, those of a name side by side: what is alike packs small."""
    for name in sorted({name for files in archive.versions.values() for name in files}):
        for files in archive.versions.values():
            if name in files and files[name][0] in archive.contents:
                yield files[name][0]


def _files(checkout: Path) -> Iterator[Member]:
    for part in _PARTS:
        for top in sorted(checkout.glob(part)):
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                # The tests of a template leave caches behind in a checkout; a release must not hold them.
                if path.is_file() and not _CACHES.intersection(path.relative_to(checkout).parts):
                    name = path.relative_to(checkout).as_posix()
                    yield Member(name, path.read_bytes(), bool(path.stat().st_mode & 0o100))
