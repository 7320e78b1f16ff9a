"""Where Huey keeps its messages: a SQLite file beside the job records."""

import sqlite3
from pathlib import Path

from huey import Huey
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (sqlite3.Error, OSError)


def connect(settings: Settings, serializer: Serializer) -> Huey:
    """Return Huey on the file that `BROKER_URL` names (`sqlite:///path`)."""
    path = Path(settings.broker_url.get_secret_value().removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return Huey(
        settings.service,
        storage_class=_Storage,
        filename=str(path),
        results=False,  # the job store keeps the results
        utc=True,
        serializer=serializer,
        strict_fifo=True,  # without it a freed row id lets a new message overtake
        timeout=1,  # other processes hold the file for milliseconds
    )


def assure(huey: Huey) -> None:
    """Raise when the file cannot be written: reading alone works also while it is locked."""
    with huey.storage.db(commit=True):
        pass


class _Storage(SqliteStorage):
    def _create_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._create_connection()
        # A message that is lost with the power is rung for again, so none is worth waiting for the disk.
        connection.execute("pragma synchronous = normal")
        return connection
