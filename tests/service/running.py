"""A service that runs: one API and one worker, as separate processes that a test can signal."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from service.brokers import Server, brokers, free_port
from service.project import Project, clean_env

CONTAINER_HEARTBEAT = "/tmp/worker-heartbeat"  # noqa: S108 - a tmpfs there
FINAL = ("succeeded", "failed", "cancelled")


class Answer(NamedTuple):
    """What the API said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """The running service; `worker` is None for a backend without one."""

    project: Project
    folder: Path
    env: dict[str, str]
    servers: dict[str, Server]
    port: int = field(default_factory=free_port)
    api: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    def start_api(self) -> None:
        """Start the API, and return once it answers."""
        self.api = self._start("api", "-m", "uvicorn", "app.main:app", "--port", str(self.port))
        self.until(lambda: self._answers("/livez"), "the API to answer")

    def start_worker(self) -> None:
        """Start the worker, and return once it shows a heartbeat."""
        self.worker = self._start("worker", "-m", "app.worker")
        self.until(self.healthy, "the worker's heartbeat")

    def stop(self, process: subprocess.Popen[bytes] | None, signum: signal.Signals = signal.SIGTERM) -> int | None:
        """Signal a process with all that it started, or the process alone for TERM as `docker stop` does."""
        if process is None or process.poll() is not None:
            return None
        if signum == signal.SIGKILL:
            os.killpg(process.pid, signum)
        else:
            process.send_signal(signum)
        return process.wait(90)

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 10
    ) -> Answer:
        """Send one request; an error status is an answer too."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {"Content-Type": "application/json"} | (headers or {}),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                return Answer(answer.status, _names_in_lower_case(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, _names_in_lower_case(error.headers), error.read())

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the API shows it."""
        shown: dict[str, Any] = self.call("GET", f"/jobs/{job_id}").json
        return shown

    def wait(self, job_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """Return the job once it is in one of the states, or is final."""
        self.until(lambda: self.job(job_id)["state"] in (states or FINAL), f"job {job_id}", seconds)
        return self.job(job_id)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until something holds; after that, fail with the ends of the logs."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in self.folder.glob("*.log"))
                raise AssertionError(f"Waited {seconds} s for {what}\n{logs}")
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Run the worker's container health check, as compose.yaml has it but for the directory."""
        check = worker_health_check(self.project).replace(CONTAINER_HEARTBEAT, self.env["HEARTBEAT_DIR"])
        return subprocess.run(["/bin/sh", "-c", check], env=self.env, check=False, capture_output=True).returncode == 0

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON lines that `api` or `worker` logged."""
        lines = (self.folder / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _answers(self, path: str) -> bool:
        try:
            return self.call("GET", path, timeout=2).status == 200
        except OSError:
            return False

    def _start(self, name: str, *args: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [self.project.python, *args],
                cwd=self.project.root,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def worker_health_check(project: Project) -> str:
    """Return the shell line with which compose.yaml checks the worker."""
    compose = yaml.safe_load((project.root / "compose.yaml").read_text())
    line: str = compose["services"]["worker"]["healthcheck"]["test"]
    return line.replace("$$", "$")


def _names_in_lower_case(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def running(project: Project, broker: str, folder: Path, **settings: str) -> Iterator[Service]:
    """Run the brokers; the test starts API and worker itself. Everything ends with the block."""
    with brokers(broker, folder) as (urls, servers):
        own = {"DATA_DIR": f"{folder}/data", "HEARTBEAT_DIR": f"{folder}/heartbeat", "WEBHOOK_SECRET": "of the tests"}
        service = Service(project, folder, clean_env() | urls | own | settings, servers)
        try:
            yield service
        finally:
            for process in (service.worker, service.api):
                if process is not None:
                    try:
                        os.killpg(process.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    process.wait(10)
