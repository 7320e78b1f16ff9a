"""`poe dev`: all of it ends together, and ends well."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.conftest import SECRET, Receiver
from tests.integration.conftest import ROOT, Service, free_port, wait_for_api
from tests.integration.servers import broker

pytestmark = pytest.mark.integration

CHILDREN = ["uvicorn", "app.worker"] if importlib.util.find_spec("app.worker") else ["uvicorn"]


@dataclass
class Dev:
    """A running `poe dev`."""

    process: subprocess.Popen[bytes]
    folder: Path
    service: Service

    def end(self, child: str = "") -> int:
        """Send SIGINT as `uv run` and a terminal do, or kill one child, and return the exit code."""
        if child:
            os.kill(min(pid for pid in marked(self.folder) if f"-m {child} " in command(pid)), signal.SIGKILL)
        else:
            os.killpg(self.process.pid, signal.SIGINT)
            os.kill(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a broker that no other worker listens to."""
    with broker(tmp_path_factory.mktemp("broker")) as settings:
        yield settings


@pytest.fixture
def dev(tmp_path: Path, urls: dict[str, str]) -> Iterator[Dev]:
    """Run `poe dev`, and leave none of its processes."""
    port = str(free_port())
    own = {"HEARTBEAT_DIR": f"{tmp_path}/heartbeat", "DATA_DIR": f"{tmp_path}/data", "WEBHOOK_SECRET": SECRET}
    limits = {"SOFT_LIMIT_S": "20", "DRAIN_S": "15", "UVICORN_PORT": port, "MARK": str(tmp_path)}
    env = os.environ | urls | own | limits
    log = tmp_path / "dev.log"
    with log.open("wb") as output, httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as api:
        poe = [sys.executable, "-m", "poethepoet", "dev"]
        process = subprocess.Popen(poe, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            wait_for_api(api, log)
            yield Dev(process, tmp_path, Service(api, env, tmp_path))
        finally:
            for pid in marked(tmp_path):
                os.kill(pid, signal.SIGKILL)
            process.wait()


def test_ctrl_c_lets_a_running_job_finish(dev: Dev, receiver: Receiver) -> None:
    receiver.delay_s = 3
    body = {"url": receiver.url, "event": "order.paid", "data": {}}
    job_id = dev.service.api.post("/webhooks", json=body).json()["id"]
    dev.service.wait(job_id, "running")
    with dev.service.api.stream("GET", f"/jobs/{job_id}/events"):  # an open page does not hold it up
        assert dev.end() == 0
    assert list(receiver.accepted) == [job_id]
    assert_clean(dev)


@pytest.mark.parametrize("child", CHILDREN)
def test_when_one_process_dies_nothing_goes_on(dev: Dev, child: str) -> None:
    assert dev.end(child) == 1
    assert_clean(dev)


def assert_clean(dev: Dev) -> None:
    """See that no process is left and that the log holds no traceback."""
    deadline = time.monotonic() + 5
    while marked(dev.folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [command(pid) for pid in marked(dev.folder)] == []
    assert "Traceback" not in (dev.folder / "dev.log").read_text()


def marked(folder: Path) -> list[int]:
    """Return the processes that `dev` started, whoever their parent is now."""
    return [pid for pid in pids() if f"MARK={folder}\0" in read(pid, "environ")]


def command(pid: int) -> str:
    """Return the command line of a process."""
    return read(pid, "cmdline").replace("\0", " ")


def pids() -> list[int]:
    """Return all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def read(pid: int, name: str) -> str:
    """Return a file of a process, empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
