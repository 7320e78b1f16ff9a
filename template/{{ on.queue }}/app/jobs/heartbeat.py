"""The worker's heartbeat: a file that is touched only while jobs can really be taken.

Every thread or loop that takes messages reports each round it makes. The file is touched
while all of them have reported lately or are inside a job, whose time limit bounds it.
"""

from collections.abc import Set
from pathlib import Path
from time import monotonic

_STALE_S = 15.0

_beats: dict[str, float] = {}


def beat(name: str) -> None:
    """Report that the taker of messages called `name` has made another round."""
    _beats[name] = monotonic()


def taking_jobs(busy: Set[str] = frozenset()) -> bool:
    """Return whether every taker of messages has reported lately or is in `busy`."""
    now = monotonic()
    return bool(_beats) and all(name in busy or now - at < _STALE_S for name, at in _beats.items())


def touch(path: Path) -> None:
    """Renew the heartbeat file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
