"""Real brokers on free ports of the loopback, that a test can kill and bring back."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

PORTS = range(20_000, 32_000)  # below those that Linux gives to connections
_given: dict[int, BinaryIO] = {}  # the lock on each port, as long as this process lives
RABBITMQ_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # below Debian's wrapper, which switches the user


@dataclass
class Server:
    """One server process; its data outlive it."""

    command: list[str]
    env: dict[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and return once it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.env, stdout=log, stderr=log, start_new_session=True, cwd=self.log.parent
            )
        deadline = time.monotonic() + 60
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.command[0]} does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def send_signal(self, signum: signal.Signals) -> None:
        """Signal the server and everything it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signum)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Signal the server and everything it started, and wait until it is gone."""
        self.send_signal(signum)
        if self.process is not None:
            self.process.wait(60)
        if "ERL_EPMD_PORT" in self.env:  # the port mapper that RabbitMQ started stays behind
            subprocess.run(["epmd", "-kill"], env=self.env, check=False, capture_output=True)

    def control(self, *words: str) -> None:
        """Ask RabbitMQ for something that only its operator can."""
        command = [self.command[0].replace("rabbitmq-server", "rabbitmqctl"), "--quiet", *words]
        subprocess.run(command, env=self.env, check=True, capture_output=True)


def need(program: str) -> str:
    """Return where a server is; a missing one skips the test on a laptop and fails it on CI."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if path:
        return path
    message = f"{program} is not installed: `make test` installs it with apt-get where it may"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def redis_server(folder: Path, *options: str) -> Server:
    """Return a Redis as production runs it: append-only file, no eviction."""
    port = free_port()
    settings = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", "", "--dir", str(folder)]
    command = [need("redis-server"), "--port", str(port), "--bind", "127.0.0.1", *settings, *options]
    return Server(command, dict(os.environ), port, folder / "redis.log")


def rabbitmq_server(folder: Path) -> Server:
    """Return a RabbitMQ with its own node, its own port mapper and no plugins."""
    program = need("rabbitmq-server")
    (folder / "plugins").write_text("[].")
    port = free_port()
    settings = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"bgtasks{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    command = [str(RABBITMQ_SCRIPT if RABBITMQ_SCRIPT.exists() else program)]
    return Server(command, os.environ | settings, port, folder / "rabbitmq.log")


@contextmanager
def brokers(broker: str, folder: Path) -> Iterator[tuple[dict[str, str], dict[str, Server]]]:
    """Run what a service on this broker needs; gives its settings, and the servers by name."""
    servers: dict[str, Server] = {}
    if broker in ("redis", "rabbitmq"):
        servers["redis"] = redis_server(folder)
    if broker == "rabbitmq":
        servers["rabbitmq"] = rabbitmq_server(folder)
    with ExitStack() as stack:
        for server in servers.values():
            stack.callback(server.stop)
            server.start()
        yield _settings(broker, folder, servers), servers


def _settings(broker: str, folder: Path, servers: dict[str, Server]) -> dict[str, str]:
    if broker == "memory":
        return {}
    if broker == "sqlite":
        return {"BROKER_URL": f"sqlite:///{folder}/messages.db", "JOB_STORE_URL": f"sqlite:///{folder}/jobs.db"}
    redis_url = f"redis://127.0.0.1:{servers['redis'].port}/0"
    if broker == "redis":
        return {"BROKER_URL": redis_url, "JOB_STORE_URL": redis_url}
    amqp_url = f"amqp://guest:guest@127.0.0.1:{servers['rabbitmq'].port}/"
    return {"BROKER_URL": amqp_url, "JOB_STORE_URL": redis_url}


def free_port() -> int:
    """Return a port that nobody listens on, and that no other test is given.

    The kernel gives none of these to a connection: a server that is down for a while finds its port free again. It
    listens only seconds after it got its port, and tests run side by side: a lock says whose the port is until then.
    """
    locks = Path(tempfile.gettempdir(), "bgtasks-test-ports")
    locks.mkdir(exist_ok=True)
    for port in random.sample(PORTS, len(PORTS)):
        with ExitStack() as unless_taken, socket.socket() as probe, suppress(OSError):
            lock = unless_taken.enter_context((locks / str(port)).open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given[port] = lock
            unless_taken.pop_all()
            return port
    raise AssertionError(f"Every port from {PORTS[0]} to {PORTS[-1]} is taken")


def listens(port: int) -> bool:
    """Return whether something accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
