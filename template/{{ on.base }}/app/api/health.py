"""Health: is the process alive, and can it do its work?"""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response, status

from app.jobs import Unavailable
from app.jobs.client import CHECKS

router = APIRouter(tags=["health"])

_PATIENCE_S = 1.0


@router.get("/livez")
async def alive(request: Request) -> dict[str, float | str]:
    """Answer at all: the process runs and its event loop turns."""
    return {"status": "alive", "loop_lag_s": round(request.app.state.loop_lag.seconds, 3)}


@router.get("/readyz")
async def ready(response: Response) -> dict[str, str]:
    """Answer 200 when everything that a job needs is reachable, 503 when not, within a second."""
    answers = await reachable()
    if not all(answers.values()):
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {name: "ok" if ok else "unreachable" for name, ok in answers.items()}


async def reachable() -> dict[str, bool]:
    """Ask everything that a job needs, at once; what does not answer within a second is not reachable."""
    answers = await asyncio.gather(*(_answers(check) for check in CHECKS.values()))
    return dict(zip(CHECKS, answers, strict=True))


async def _answers(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await asyncio.wait_for(check(), _PATIENCE_S)
    except (Unavailable, TimeoutError):
        return False
    return True
