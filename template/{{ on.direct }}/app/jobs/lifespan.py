"""Where jobs run: for as long as this is open, in the API as in a script.

Example:
    async def main() -> None:
        async with background_jobs(drain_s=math.inf):
            for order_id in overdue():
                await enqueue(remind, order_id)

    asyncio.run(main())
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.jobs.declare import declared_tasks
from app.jobs.runner import running
from app.settings import get_settings


@asynccontextmanager
async def background_jobs(drain_s: float | None = None) -> AsyncIterator[None]:
    """Run the jobs that are enqueued inside; at the end, finish what can be finished.

    Args:
        drain_s: How long that may take; what is not done by then is lost, and its id logged.
            `DRAIN_S` if None; a script that wants all its jobs done gives `math.inf`.

    Raises:
        RuntimeError: A task has a period.
    """
    for task in declared_tasks():
        if task.every is not None:
            raise RuntimeError(f"{task.name!r} is declared with `every`, but this service has no scheduler")
    with running() as runner:
        try:
            yield
        finally:
            await runner.drain(get_settings().drain_s if drain_s is None else drain_s)
