"""The API: `uvicorn app.main:app`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI, Request, Response, status
from fastapi.responses import JSONResponse

from app.api import routers
from app.jobs import Unavailable
from app.jobs.declare import load_tasks
from app.jobs.errors import BadArguments
from app.jobs.lifespan import background_jobs
from app.observability import LoopLag, configure_logging, request_id_var
from app.settings import get_settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start what the API needs, and stop it in reverse order."""
    load_tasks()
    app.state.loop_lag = LoopLag()
    lag = asyncio.create_task(app.state.loop_lag.measure())
    async with background_jobs():
        yield
    lag.cancel()


def create_app() -> FastAPI:
    """Return the API; it starts and stays up without its broker."""
    app = FastAPI(title=get_settings().service, lifespan=lifespan)
    for router in routers():
        app.include_router(router)
    app.add_exception_handler(Unavailable, _answer_unavailable)
    app.add_exception_handler(BadArguments, _answer_bad_arguments)
    app.middleware("http")(_carry_request_id)
    return app


async def _answer_unavailable(request: Request, error: Exception) -> Response:
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else 5
    return JSONResponse(
        {"detail": str(error)},
        status_code=status.HTTP_503_SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(retry_after_s)},
    )


async def _answer_bad_arguments(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=status.HTTP_422_UNPROCESSABLE_CONTENT)


async def _carry_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request_id = request.headers.get("X-Request-ID", uuid4().hex)[:64]
    request_id_var.set(request_id)
    response = await call_next(request)
    response.headers["X-Request-ID"] = request_id
    return response


configure_logging()
app = create_app()
