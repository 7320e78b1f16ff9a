"""What a run of the full table leaves behind: one line of JSON for each cell, so that it can be stopped and resumed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/faults"
CELLS = BUILD / "cells.jsonl"


@dataclass(frozen=True)
class Record:
    """One cell: what was seen, which of it breaks the promise, and what it was seen with."""

    kind: str
    variant: str
    fault: str
    said: list[str]
    broken: list[str]
    seed: int
    took_s: int
    month: str
    versions: dict[str, str] = field(default_factory=dict)
    template: str = ""  # what the generated service was rendered from

    @property
    def place(self) -> tuple[str, str, str]:
        """Return where in the table it belongs."""
        return self.kind, self.variant, self.fault


def keep(record: Record) -> None:
    """Add a cell; a later one for the same place counts instead of it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with CELLS.open("ab", buffering=0) as cells:  # one write a line, so that runs side by side do not mix theirs
        cells.write(json.dumps(asdict(record)).encode() + b"\n")


def kept() -> Mapping[tuple[str, str, str], Record]:
    """Return the cells of this checkout by their place, without those of another template."""
    if not CELLS.exists():
        return {}
    records = [Record(**json.loads(line)) for line in CELLS.read_text().splitlines()]
    now = template_now()
    return {record.place: record for record in records if record.kind == "bare" or record.template == now}


@cache
def template_now() -> str:
    """Return a name for what the template makes the service of: its code, its settings and its libraries."""
    paths = [path for pattern in ("template/*/app/**/*", "template/*/*.toml*", "pins/*") for path in ROOT.glob(pattern)]
    files = sorted(path for path in paths if path.is_file() and path.suffix != ".pyc")
    contents = (f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]
