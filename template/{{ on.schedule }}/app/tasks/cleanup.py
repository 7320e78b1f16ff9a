"""Cleaning up: work that starts by the clock."""

import time
from datetime import timedelta
from pathlib import Path

from app.jobs import task
from app.settings import get_settings


@task(name="files.clean_up", every=timedelta(hours=1))
def clean_up() -> int:
    """Delete the files of jobs that are past their retention, and return how many there were."""
    settings = get_settings()
    return remove_older(settings.data_dir, time.time() - settings.retention_s)


def remove_older(folder: Path, before: float) -> int:
    """Delete the files below `folder` that were last changed before that time (Unix seconds)."""
    old = [path for path in folder.glob("*/*") if path.is_file() and path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)  # another worker may have been here
    return len(old)
