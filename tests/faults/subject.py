"""What a fault is done to: a service whose probes can be enqueued over HTTP, and its ledger."""

import itertools
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

from faults.ledger import Ledger
from service.brokers import free_port
from service.caller import FINAL
from service.project import Project
from service.running import Answer, Service

PROBE = Path(__file__).parent / "probe"
_tokens = itertools.count(1)


@dataclass
class Subject(Service):
    """A service under test: one API, any number of workers, and what was handed over to it."""

    backend: str = ""
    missing: str = "lost"  # what a job is called that did not end in time
    keeps_records: bool = True
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    # Token of each job that was accepted, and the id of its record.
    accepted: dict[str, str] = field(default_factory=dict)
    # Token of each job that was not, and the status that said so.
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        return Ledger(Path(self.env["LEDGER"]))

    @property
    def broker(self) -> str:
        """The server that the messages lie on, by its name in `servers`, or `sqlite`."""
        return next((name for name in ("rabbitmq", "redis") if name in self.servers), "sqlite")

    def add_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start one more worker, and return once it can take jobs."""
        return self.add_workers(1, **settings)[0]

    def add_workers(self, count: int, **settings: str) -> list[subprocess.Popen[bytes]]:
        """Start more workers at the same time, and return once each can take jobs."""
        started = [self.launch_worker(**settings) for _ in range(count)]
        self.until(lambda: all(map(self.takes_jobs, started)), "every worker to take jobs")
        return started

    def takes_jobs(self, worker: subprocess.Popen[bytes]) -> bool:
        """Return whether a worker shows a heartbeat; with Celery, that of the process which takes messages."""
        beats = self._heartbeat(self.workers.index(worker))
        celery = (self.project.root / ".venv/bin/celery").exists()
        return beats.is_dir() and any(beats.glob("main" if celery else "*"))

    def launch_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start one more worker, and leave it alone."""
        settings["HEARTBEAT_DIR"] = str(self._heartbeat(len(self.workers)))
        started = self.launch(f"worker-{len(self.workers)}", "-m", "app.worker", **settings)
        self.workers.append(started)
        return started

    def _heartbeat(self, number: int) -> Path:
        return self.folder / f"heartbeat-{number}"

    def second_api(self) -> "Subject":
        """Start another API beside the first, and return the service as it is seen through it."""
        other = replace(self, port=free_port(), api=None, accepted={}, refused={})
        other.start_api()
        return other

    def send(self, *words: str) -> str:
        """Put messages on the broker as no caller would, from a process of the project; returns how many."""
        sent = self.project.run(self.project.python, "send.py", *words, **self.env)
        assert sent.returncode == 0, sent.stderr
        return sent.stdout

    def end(self, worker: subprocess.Popen[bytes], signum: signal.Signals) -> int | None:
        """Signal a worker (KILL: everything of it, as the kernel ends a container) and wait for its end."""
        return self.stop(worker, signum)

    def place(self, probe: str, *args: Any, key: str = "", path: str = "", token: str = "") -> tuple[str, Answer]:
        """Enqueue a probe once; returns its token and the answer, and books it when it was accepted."""
        token = token or f"t{next(_tokens)}"
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.call("POST", f"/probe/{probe}{path}", [token, *args], headers)
        if answer.status in (200, 202):
            self.accepted[token] = answer.json["id"]
        else:
            self.refused[token] = answer.status
        return token, answer

    def place_many(self, count: int, probe: str, *args: Any) -> list[str]:
        """Enqueue a probe so many times, eight callers at once; returns the tokens of those accepted."""
        with ThreadPoolExecutor(8) as threads:
            placed = list(threads.map(lambda _: self.place(probe, *args)[0], range(count)))
        refused = [token for token in placed if token not in self.accepted]
        assert not refused, f"{len(refused)} of {count} jobs were refused, and none had to be"
        return placed

    def place_at_once(self, count: int, probe: str, *args: Any) -> tuple[list[Answer], float]:
        """Enqueue a probe so many times at the same moment; returns the answers and the slowest one's seconds."""

        def place(_: int) -> tuple[Answer, float]:
            asked_s = time.monotonic()
            return self.place(probe, *args)[1], time.monotonic() - asked_s

        with ThreadPoolExecutor(count) as threads:
            answers, took_s = zip(*threads.map(place, range(count)), strict=True)
        return list(answers), max(took_s)

    @contextmanager
    def load(self, per_second: float, probe: str, *args: Any) -> Iterator[None]:
        """Enqueue at a steady pace for as long as the block lasts; refusals and errors are not booked."""
        stop = threading.Event()

        def keep_placing() -> None:
            due_s = time.monotonic()
            while not stop.wait(due_s - time.monotonic()):
                due_s = max(due_s, time.monotonic() - 1) + 1 / per_second  # slow answers do not slow the load down
                try:
                    self.place(probe, *args)
                except (OSError, HTTPException):
                    continue  # whoever enqueues gets no 202: nothing was promised

        caller = threading.Thread(target=keep_placing)
        caller.start()
        try:
            yield
        finally:
            stop.set()
            caller.join()

    def wait_for_load(self, jobs: int) -> None:
        """Wait until so many jobs in all were accepted."""
        self.until(lambda: len(self.accepted) >= jobs, f"{jobs} jobs to be accepted", 120)

    def unfinished(self) -> int:
        """Return how many jobs on record are not final; while the job store is away, some may be."""
        text = self.call("GET", "/metrics").body.decode()
        sizes = dict(re.findall(r'^jobs\{state="(\w+)"\} (\S+)', text, re.MULTILINE))
        return sum(int(float(size)) for state, size in sizes.items() if state not in FINAL) if sizes else 1

    def record(self, token: str) -> dict[str, Any]:
        """Return what the API shows of an accepted job."""
        return self.job(self.accepted[token])

    def ended(self, tokens: Iterable[str]) -> bool:
        """Return whether each of these jobs noted its end."""
        return set(tokens) <= set(self.ledger.count("end"))

    def settle(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; return whether it came to hold."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def with_probes(project: Project, folder: Path) -> Project:
    """Return a copy of an installed project that has the probes among its tasks and routes."""
    root = folder / "probed"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(".venv", "data", "__pycache__"))
    (root / ".venv").symlink_to(project.root / ".venv")
    for script in ("probe_work.py", "send.py"):
        shutil.copy(PROBE / script, root)
    shutil.copy(PROBE / "tasks.py", root / "app/tasks/probe.py")
    shutil.copy(PROBE / "routes.py", root / "app/api/probe.py")
    return Project(root)
