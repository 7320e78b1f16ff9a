"""The ledger: what the probes noted, whatever happened to them afterwards."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Note(NamedTuple):
    """One event of one job; `at_s` is the machine's monotonic clock."""

    kind: str
    token: str
    at_s: float
    pid: int


class Ledger:
    """A file that every probe appends to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def notes(self, kind: str = "") -> list[Note]:
        """Return every note in order, or those of one kind."""
        if not self.path.exists():
            return []
        parts = (line.split() for line in self.path.read_text().splitlines())
        found = [Note(name, token, float(at_s), int(pid)) for name, token, at_s, pid in parts]
        return [note for note in found if not kind or note.kind == kind]

    def count(self, kind: str) -> Counter[str]:
        """Return how often each job noted this."""
        return Counter(note.token for note in self.notes(kind))

    def open(self) -> set[str]:
        """Return the jobs that started and have not ended."""
        return set(self.count("start")) - set(self.count("end"))
