"""The generated service, as a route of its own calls it."""

import os

from app.jobs import enqueue
from app.tasks.noop import async_noop, noop

# ARQ's own jobs are coroutines.
_task = async_noop if os.environ["BACKEND"] == "arq" else noop


async def place(number: int) -> None:
    await enqueue(_task, number)
