"""A service that runs: one API and one worker, as separate processes that a test can signal."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from service.brokers import Server, brokers, free_port
from service.caller import Answer as Answer
from service.caller import Caller
from service.project import Project, clean_env

CONTAINER_HEARTBEAT = "/tmp/worker-heartbeat"  # noqa: S108 - a tmpfs there
S = TypeVar("S", bound="Service")


@dataclass
class Service(Caller):
    """The running service; `worker` is None for a backend without one."""

    project: Project
    folder: Path
    env: dict[str, str]
    servers: dict[str, Server]
    port: int = field(default_factory=free_port)
    api: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_api(self) -> None:
        """Start the API, and return once it answers."""
        self.api = self.launch("api", "-m", "uvicorn", "app.main:app", "--port", str(self.port))
        self.until(lambda: self._answers("/livez"), "the API to answer")

    def start_worker(self) -> None:
        """Start the worker, and return once it shows a heartbeat."""
        shutil.rmtree(self.env["HEARTBEAT_DIR"], ignore_errors=True)  # a container starts with an empty one
        self.worker = self.launch("worker", "-m", "app.worker")
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

    def evidence(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in self.folder.glob("*.log"))

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

    def launch(self, name: str, *args: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start Python in the project with these arguments and settings, in a process group of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [self.project.python, *args],
                cwd=self.project.root,
                env=self.env | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def end_all(self) -> None:
        """Kill whatever still runs of all that was started."""
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def worker_health_check(project: Project) -> str:
    """Return the shell line with which compose.yaml checks the worker."""
    compose = yaml.safe_load((project.root / "compose.yaml").read_text())
    line: str = compose["services"]["worker"]["healthcheck"]["test"]
    return line.replace("$$", "$")


def running(project: Project, broker: str, folder: Path, **settings: str) -> AbstractContextManager[Service]:
    """Run the brokers; the test starts API and worker itself. Everything ends with the block."""
    return running_as(Service, project, broker, folder, **settings)


@contextmanager
def running_as(kind: type[S], project: Project, broker: str, folder: Path, **settings: str) -> Iterator[S]:
    """Do the same for another kind of service."""
    with brokers(broker, folder) as (urls, servers):
        own = {"DATA_DIR": f"{folder}/data", "HEARTBEAT_DIR": f"{folder}/heartbeat", "WEBHOOK_SECRET": "of the tests"}
        service = kind(project, folder, clean_env() | urls | own | settings, servers)
        try:
            yield service
        finally:
            service.end_all()
