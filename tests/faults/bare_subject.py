"""The other side of the table: a library by itself, with its defaults, behind the smallest API."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from faults.subject import PROBE, Subject
from service.project import Project
from service.running import Answer

APPS = Path(__file__).parent / "bare"
QUIET_S = 30  # what the generated service promises to need at most until it goes on
GRACE_S = 10  # what `docker stop` waits before it kills
# How each library's documentation starts a worker; eight jobs at once is a capacity, not a guarantee.
WORKERS = {
    "celery": ("-m", "celery", "-A", "main", "worker", "--loglevel=INFO", "--concurrency=8"),
    "dramatiq": ("-m", "dramatiq", "main", "--processes=2", "--threads=4"),
    "huey": ("-m", "huey.bin.huey_consumer", "main.huey", "-w", "8"),
    "arq": ("-m", "arq", "main.WorkerSettings"),
}
BEAT = ("-m", "celery", "-A", "main", "beat")
SCHEDULES = ("celery", "arq")  # every two seconds, that is; Huey's crontab knows minutes


class NotOffered(Exception):  # noqa: N818 - it is an answer, not a failure
    """The library alone has no such thing."""


@dataclass
class BareSubject(Subject):
    """A library by itself. What is asked of it beyond enqueueing and running is not offered."""

    missing: str = f"not done after {QUIET_S} s of quiet"
    keeps_records: bool = False

    def start_api(self) -> None:
        """Start the API, and return once it answers."""
        if self.env.get("PROBE_PERIOD_S") and self.backend not in SCHEDULES:
            raise NotOffered("a schedule by seconds")
        self.api = self.launch("api", "-m", "uvicorn", "main:api", "--port", str(self.port))
        self.until(lambda: self._answers("/openapi.json"), "the API to answer")

    def launch_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start one more worker, and leave it alone."""
        if self.backend == "celery" and self.env.get("PROBE_PERIOD_S") and not self.workers:
            self.launch("beat", *BEAT)
        name = f"worker-{len(self.workers)}"
        # Two Celery workers of one name lock each other out on RabbitMQ; on hosts of their own they have two.
        own = ("--hostname", f"{name}@%h") if self.backend == "celery" else ()
        started = self.launch(name, *WORKERS[self.backend], *own, **settings)
        self.workers.append(started)
        return started

    def takes_jobs(self, worker: subprocess.Popen[bytes]) -> bool:
        """Return whether a worker has run something, after asking for one more job."""
        with suppress(OSError, HTTPException):  # the API or its broker may be down: then it is other jobs that show it
            super().call("POST", "/probe/ready", ["ready"])
        time.sleep(0.3)
        return any(group_of(note.pid) == worker.pid for note in self.ledger.notes())

    def end(self, worker: subprocess.Popen[bytes], signum: signal.Signals) -> int | None:
        """Signal a worker as its container's runtime does, which kills what is left after the grace period."""
        if signum == signal.SIGTERM:
            worker.send_signal(signum)
            with suppress(subprocess.TimeoutExpired):
                worker.wait(GRACE_S)
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)  # with its first process a container ends
        return worker.wait(10)

    def settle(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, but no longer than until nothing has run for a while."""
        began_s = time.time()

        def over() -> bool:
            noted_s = self.ledger.path.stat().st_mtime if self.ledger.path.exists() else 0
            return holds() or time.time() - max(noted_s, began_s) > QUIET_S

        return super().settle(over, seconds) and holds()

    def record(self, token: str) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing: nobody keeps a record."""
        return {}

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 10
    ) -> Answer:
        """Send one request, if it is one that this API knows."""
        if path.endswith("/dying") or not path.startswith(("/probe/", "/openapi.json")):
            raise NotOffered(f"{method} {path.replace(path.split('/')[-1], '…')}")
        return super().call(method, path, body, headers, timeout)


def group_of(pid: int) -> int | None:
    """Return the process group of a process; None when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def bare_project(project: Project, backend: str, folder: Path) -> Project:
    """Return a project of the library alone, with the environment of an installed one."""
    root = folder / "bare"
    root.mkdir()
    (root / ".venv").symlink_to(project.root / ".venv")
    shutil.copy(PROBE / "probe_work.py", root)
    for figures in ("compose.yaml", "settings.toml"):  # the same container for both
        shutil.copy(project.root / figures, root)
    shutil.copy(APPS / "probes.py", root)
    shutil.copy(APPS / f"with_{backend}.py", root / "main.py")
    return Project(root)
