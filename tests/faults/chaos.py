"""What a soak does to a service, one thing after the other; each leaves it whole, and tells what it may have cost."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from faults.books import now_s
from faults.outages import EVERYSEC_S, locked
from faults.subject import Subject
from faults.traffic import Traffic

# How long after an outage what ended in it may still wait for its record.
AFTER_S = 3.0


@dataclass
class Chaos:
    """The faults, and when they were."""

    subject: Subject
    traffic: Traffic
    random: Random
    log: list[str] = field(default_factory=list)
    # From when to when a job that ended may not have been recorded, and so may run again.
    shaky: list[tuple[float, float]] = field(default_factory=list)
    # Jobs that Redis may have lost with its last second.
    late: set[str] = field(default_factory=set)

    def strike(self) -> None:
        """Do one thing at random."""
        servers = [self.kill_server, self.freeze_server] if self.subject.servers else [self.lock_files]
        workers = [self.kill_worker, self.replace_worker, self.freeze_worker]
        choice = self.random.choice([*workers, *workers, *servers, self.kill_api, self.freeze_api, self.ring_again])
        self.log.append(f"{now_s():.1f} {choice.__name__}")
        choice()

    def kill_worker(self) -> None:
        """Kill a worker, and start another."""
        with self._shaking():
            self.subject.end(self._worker(), signal.SIGKILL)
        self.subject.launch_worker()

    def replace_worker(self) -> None:
        """Start a worker, and tell an older one to end."""
        older = self._worker()
        self.subject.launch_worker()
        with self._shaking():  # what does not end in its drain time is handed back, or killed
            self.subject.end(older, signal.SIGTERM)

    def freeze_worker(self) -> None:
        """Let a worker stand still, for less than a lease."""
        _freeze(self._worker(), self.random.uniform(1, 8))

    def kill_api(self) -> None:
        """Kill the API, and start it again."""
        self.subject.stop(self.subject.api, signal.SIGKILL)
        self.subject.start_api()

    def freeze_api(self) -> None:
        """Let the API stand still."""
        if self.subject.api is not None:
            _freeze(self.subject.api, self.random.uniform(1, 5))

    def kill_server(self) -> None:
        """Kill a server, and start it again after a while."""
        name = self.random.choice([*self.subject.servers])
        with self._shaking(EVERYSEC_S if name == "redis" else 0):
            self.subject.servers[name].stop(signal.SIGKILL)
            self.late |= self.traffic.late(now_s(), EVERYSEC_S) if name == "redis" else set()
            time.sleep(self.random.uniform(0, 4))
            self.subject.servers[name].start()

    def freeze_server(self) -> None:
        """Let a server stand still."""
        process = self.subject.servers[self.random.choice([*self.subject.servers])].process
        if process is not None:
            with self._shaking():
                _freeze(process, self.random.uniform(1, 8))

    def lock_files(self) -> None:
        """Hold the files of messages and records."""
        with self._shaking(), locked(self.subject.folder / "messages.db", self.subject.folder / "jobs.db"):
            time.sleep(self.random.uniform(1, 8))

    def ring_again(self) -> None:
        """Send messages for jobs that may be done, running or unknown."""
        ids = [*self.subject.accepted.values()]
        self.subject.send("ring", "nobody-knows-this-one", *self.random.sample(ids, min(len(ids), 40)))

    def _worker(self) -> "subprocess.Popen[bytes]":
        return self.random.choice([worker for worker in self.subject.workers if worker.poll() is None])

    @contextmanager
    def _shaking(self, before_s: float = 0) -> Iterator[None]:
        began_s = now_s()
        try:
            yield
        finally:
            self.shaky.append((began_s - before_s - 0.1, now_s() + AFTER_S))


def _freeze(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGCONT)
