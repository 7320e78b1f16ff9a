"""Where Huey keeps its messages: a SQLite file beside the job records."""

import sqlite3
from pathlib import Path

from huey import SqliteHuey

from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (sqlite3.Error, OSError)


def connect(settings: Settings) -> SqliteHuey:
    """Return Huey on the file that `BROKER_URL` names (`sqlite:///path`)."""
    path = Path(settings.broker_url.get_secret_value().removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteHuey(
        settings.service,
        filename=str(path),
        results=False,  # the job store keeps the results
        utc=True,
        strict_fifo=True,  # without it a freed row id lets a new message overtake
        timeout=10,  # other processes hold the file for milliseconds; wait rather than fail
    )
