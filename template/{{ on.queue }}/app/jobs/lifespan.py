"""What the API holds open for its jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.jobs.store import job_store


@asynccontextmanager
async def background_jobs() -> AsyncIterator[None]:
    """Close the job store at the end; it opens on first use, so a broker that is away does no harm."""
    yield
    job_store().close()
