"""How many jobs a worker process runs: at once, and before it is worn out."""

import logging

from pydantic import Field

from app.jobs.keeper import keeper
from app.jobs.memory import resident_mb
from app.jobs.run import stopping
from app.settings import Settings, get_settings

logger = logging.getLogger(__name__)


class ThreadSettings(Settings):
    """The settings of a worker process, beside those of the whole service."""

    worker_threads: int = Field(default=1, ge=1)


def may_take() -> bool:
    """Return whether this process may take another job; once it is worn out, never again.

    Asked before each job: what a job leaves behind counts before the next one adds to it.
    """
    if not stopping.is_set() and _is_worn():
        stopping.set()
    return not stopping.is_set()


def _is_worn() -> bool:
    settings, jobs, used_mb = get_settings(), keeper().jobs_done, resident_mb()
    worn = 0 < settings.recycle_after_jobs <= jobs or 0 < settings.memory_limit_mb < used_mb
    if worn:
        logger.info("worker process is worn out", extra={"jobs": jobs, "memory_mb": round(used_mb)})
    return worn
