"""The servers that the tests need: a RabbitMQ and a Redis of their own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.redis_server import need, redis_server, wait_for_port


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """Run both servers and give the settings that lead to them."""
    redis_port, amqp_port, dist_port, epmd_port = free_ports(4)
    with redis_server(folder, redis_port) as redis_url, rabbitmq_server(folder, amqp_port, dist_port, epmd_port) as url:
        yield {"BROKER_URL": url, "JOB_STORE_URL": redis_url}


@contextmanager
def rabbitmq_server(folder: Path, port: int, dist_port: int, epmd_port: int) -> Iterator[str]:
    """Run a RabbitMQ of its own and give its URL."""
    # The Debian package's wrapper switches the user; the script behind it runs as who we are.
    packaged = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    program = str(packaged) if packaged.exists() else need("rabbitmq-server")
    env = os.environ | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"tests{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    (folder / "plugins").write_text("[].")
    with (folder / "rabbitmq.log").open("wb") as log:
        server = subprocess.Popen([program], env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_port(port, server)
        yield f"amqp://guest:guest@127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(60)
        subprocess.run(["epmd", "-kill"], env=env, check=False, capture_output=True)  # its port mapper stays behind


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
