"""What every test shares: a data directory of its own, and a receiver for webhooks."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.settings import get_settings
from app.signatures import sign

SECRET = "a secret of the tests"  # noqa: S105


@dataclass
class Receiver:
    """A partner's server on this machine: it keeps what it accepts."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    accepted: dict[str, object] = field(default_factory=dict)
    calls: int = 0
    delay_s: float = 0


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test its own data directory."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver that answers 401 to a wrong signature, then what `statuses` says, then 200."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message_id, timestamp = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
            state.calls += 1
            time.sleep(state.delay_s)
            if self.headers["webhook-signature"] != f"v1,{sign(message_id, timestamp, body, SECRET)}":
                status = 401
            else:
                status = state.statuses.pop(0) if state.statuses else 200
            if status == 200:
                state.accepted[message_id] = json.loads(body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/events"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()
