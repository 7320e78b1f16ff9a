"""The server that the tests need: a Redis of their own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.redis_server import redis_server


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """Run the server and give the settings that lead to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with redis_server(folder, port) as url:
        yield {"BROKER_URL": url, "JOB_STORE_URL": url}
