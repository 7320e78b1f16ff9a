"""`enqueue` works wherever it is called, and a server that hangs does not hold the API."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.project import Project
from service.running import Service, running
from service.variants import QUEUES, Variant, per_variant

SCRIPT = """
import asyncio
from app.jobs import enqueue
from app.tasks.reports import build_report
print(asyncio.run(enqueue(build_report, "2026-10", 10)).id)
"""
SERVERS = {"redis": ["redis"], "rabbitmq": ["redis", "rabbitmq"]}
HANGING = [(variant, server) for variant in QUEUES for server in SERVERS.get(variant.broker, [])]


@pytest.fixture
def service(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """The service of the variant that the test is given, running."""
    variant: Variant = request.param
    with running(installed(variant), variant.broker, tmp_path) as started:
        started.start_api()
        started.start_worker()
        yield started


@pytest.mark.parametrize("service", per_variant(QUEUES), indirect=True)
def test_a_script_enqueues_as_a_request_does(service: Service) -> None:
    for _ in range(5):
        printed = service.project.run(service.project.python, "-c", SCRIPT, **service.env)
        if printed.returncode == 0:
            break  # on a busy machine, a first connection may take longer than a caller waits
    assert printed.returncode == 0, printed.stderr
    assert service.wait(printed.stdout.strip())["state"] == "succeeded"


@pytest.mark.parametrize("hanging", per_variant(HANGING))
def test_the_api_answers_while_a_server_hangs(
    hanging: tuple[Variant, str], installed: Callable[[Variant], Project], tmp_path: Path
) -> None:
    """Counted in answers: twenty come while the one that needs the server is still waited for."""
    variant, server = hanging
    with running(installed(variant), variant.broker, tmp_path) as service, ThreadPoolExecutor() as threads:
        service.start_api()
        process = service.servers[server].process
        assert process is not None
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            refused = threads.submit(service.call, "POST", "/reports", {"month": "2026-10-01"})
            alive = [service.call("GET", "/livez").status for _ in range(20)]
            answered_first = not refused.done()
            answer = refused.result()
            ready = service.call("GET", "/readyz")
        finally:
            os.killpg(process.pid, signal.SIGCONT)
        assert (alive, answered_first) == ([200] * 20, True)
        assert (answer.status, ready.status) == (503, 503)
        assert int(answer.headers["retry-after"]) > 0
        service.until(lambda: service.call("GET", "/readyz").status == 200, "the API to be ready again")
