"""A Redis of the tests' own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def need(program: str) -> str:
    """Return where the program is; without it the test is skipped on a laptop and fails on CI."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        message = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def wait_for_port(port: int, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Return once something listens there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise AssertionError(f"The server ended with {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"Nothing listens on port {port}")


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[str]:
    """Run a Redis as in production (append-only file, no eviction), and give its URL."""
    options = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", "", "--dir", str(folder)]
    command = [need("redis-server"), "--port", str(port), "--bind", "127.0.0.1", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(30)
