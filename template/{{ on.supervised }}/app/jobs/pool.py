"""How many jobs a worker process runs at once."""

from pydantic import Field

from app.settings import Settings


class ThreadSettings(Settings):
    """The settings of a worker process, beside those of the whole service."""

    worker_threads: int = Field(default=1, ge=1)
