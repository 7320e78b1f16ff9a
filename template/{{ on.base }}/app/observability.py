"""Structured logs with request and job ids, and the lag of the event loop."""

import asyncio
import json
import logging
import sys
from contextvars import ContextVar
from functools import lru_cache
from time import localtime, monotonic, strftime

from app.settings import get_settings

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id_var: ContextVar[str | None] = ContextVar("job_id", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_encode = json.JSONEncoder(default=str).encode


@lru_cache(maxsize=1)
def _second(at_s: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S%z", localtime(at_s))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids, whatever `extra` carries."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _second(int(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id_var.get(),
            "job_id": job_id_var.get(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return _encode({name: value for name, value in fields.items() if value is not None})


def configure_logging() -> None:
    """Send every log of this process to stderr as JSON lines."""
    # No line names its caller, thread or process, and to find them out is a third of what a line costs.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=get_settings().log_level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # httpx2 logs each request with its URL, which may carry a customer's token.
    logging.getLogger("httpx2").setLevel(logging.WARNING)


class LoopLag:
    """How late the event loop wakes up, in seconds: above 0.1, something blocks it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def measure(self, interval_s: float = 0.5) -> None:
        """Measure until cancelled."""
        while True:
            before = monotonic()
            await asyncio.sleep(interval_s)
            self.seconds = max(monotonic() - before - interval_s, 0.0)
