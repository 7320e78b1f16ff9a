"""compose.override.yaml: code from this directory, and servers that programs on this machine reach."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from containers.stack import Stack

ROUTE = """

@router.get("/hello")
async def hello() -> str:
    return "hello"
"""
ENQUEUE = """
import asyncio

from app.jobs import enqueue
from app.tasks.probe import hold

print(asyncio.run(enqueue(hold, 0.1)).id)
"""


@pytest.fixture
def development(stack: Stack) -> Iterator[Stack]:
    """The composition as `docker compose up` starts it."""
    as_it_is = replace(stack, files=("compose.yaml", "compose.override.yaml"))
    as_it_is.up()
    yield as_it_is
    stack.up()


def test_a_route_written_now_answers_without_a_build(development: Stack) -> None:
    assert development.call("GET", "/probe/hello").status == 405
    routes = development.project.root / "app/api/probe.py"
    before = routes.read_text()
    routes.write_text(before + ROUTE)
    try:
        development.until(lambda: _says_hello(development), "the API to be reloaded", 30)
    finally:
        routes.write_text(before)


def _says_hello(stack: Stack) -> bool:
    try:
        return stack.call("GET", "/probe/hello").status == 200
    except OSError:  # it is being reloaded
        return False


@pytest.mark.brokers("redis", "rabbitmq")
def test_a_program_on_this_machine_reaches_the_servers_as_dev_env_says(development: Stack) -> None:
    said = (development.project.root / "secrets/dev.env").read_text()
    for usual, name in {6379: "REDIS_PORT", 5672: "RABBITMQ_PORT"}.items():
        said = said.replace(f":{usual}/", f":{development.settings[name]}/")
    urls = dict(line.split("=", 1) for line in said.split())
    result = development.project.run("python", "-c", ENQUEUE, **urls)
    assert result.returncode == 0, result.stderr
    development.all_succeed([result.stdout.strip()])
