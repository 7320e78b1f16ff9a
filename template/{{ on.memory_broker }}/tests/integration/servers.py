"""The service needs no servers besides itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """Give no further settings."""
    yield {}
