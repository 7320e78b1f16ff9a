"""Enqueue any probe over HTTP, as the routes of the samples do."""

import os
import signal
import sys
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Response

from app.api.jobs import accepted
from app.jobs import Job, enqueue
from app.jobs.declare import find_task

router = APIRouter(prefix="/probe")


@router.post("/{name}")
async def place(
    name: str,
    args: Annotated[list[Any], Body()],
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
    delay_s: float = 0,
) -> Job:
    """Enqueue the probe of this name."""
    task = find_task(f"probe.{name}")
    return accepted(
        await enqueue(task, *args, idempotency_key=idempotency_key, delay=timedelta(seconds=delay_s)), response
    )


@router.post("/{name}/dying")
async def place_and_die(name: str, args: Annotated[list[Any], Body()]) -> None:
    """Die where it hurts most: the record is written, the message is not."""
    seam = sys.modules["app.jobs.enqueue"]
    setattr(seam, "ring", lambda *_: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010 - a module has no such type
    await enqueue(find_task(f"probe.{name}"), *args)
