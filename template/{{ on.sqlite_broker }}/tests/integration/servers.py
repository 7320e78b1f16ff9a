"""Where the tests keep messages and records: files of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """Give the settings that lead to the files."""
    yield {"BROKER_URL": f"sqlite:///{folder}/messages.db", "JOB_STORE_URL": f"sqlite:///{folder}/jobs.db"}
