"""The whole service, as it runs in production: real broker, API and worker processes."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import SECRET
from tests.integration.servers import broker

ROOT = Path(__file__).parents[2]


@dataclass
class Service:
    """The running service; its worker, if it has one, is the head of a process group."""

    api: httpx2.Client
    env: dict[str, str]
    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)
    worker: "subprocess.Popen[bytes] | None" = None

    def start_worker(self) -> None:
        """Start a worker that ends with the service."""
        self.worker = self.stack.enter_context(process(self.folder / "worker.log", self.env, "-m", "app.worker"))

    def wait(self, job_id: str, *states: str, seconds: float = 30) -> dict[str, Any]:
        """Return the job once it is in one of the states, or is final."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.api.get(f"/jobs/{job_id}").json()
            if job["state"] in (states or ("succeeded", "failed", "cancelled")):
                return job
            time.sleep(0.1)
        raise AssertionError(f"Still {job['state']} after {seconds} s: {job}")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start everything once for all tests."""
    folder = tmp_path_factory.mktemp("service")
    with ExitStack() as stack:
        settings = {"DATA_DIR": f"{folder}/data", "HEARTBEAT_DIR": f"{folder}/heartbeat", "WEBHOOK_SECRET": SECRET}
        env = os.environ | stack.enter_context(broker(folder)) | settings
        port = free_port()
        stack.enter_context(process(folder / "api.log", env, "-m", "uvicorn", "app.main:app", "--port", str(port)))
        api = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10))
        started = Service(api, env, folder, stack)
        if importlib.util.find_spec("app.worker"):
            started.start_worker()
        wait_for_api(api, folder / "api.log")
        yield started


@contextmanager
def process(log: Path, env: dict[str, str], *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with these arguments, in a process group of its own, until the block ends."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, *args], cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


def wait_for_api(api: httpx2.Client, log: Path) -> None:
    """Return once the API is ready for jobs."""
    for _ in range(150):
        try:
            if api.get("/readyz").status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
