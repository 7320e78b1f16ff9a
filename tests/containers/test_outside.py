"""compose.scale.yaml: several APIs and workers, on servers elsewhere that speak TLS."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bgtasks.case import Case
from containers.engine import docker, provide_images
from containers.stack import Stack, project_name
from service.project import write_project
from service.tls import certified
from service.variants import VARIANTS, Variant

# What differs is the broker, and Flower beside Celery; `tests/test_tls.py` connects every library.
SCALED = [variant for variant in VARIANTS if variant.backend == "celery"]
PASSWORD = "of-the-tests"  # noqa: S105 - of servers that the tests start
REDIS_URL = f"rediss://:{PASSWORD}@outside-redis:6379/0"
REDIS = ["--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no", "--requirepass", PASSWORD]
REDIS += ["--tls-cert-file", "/tls/server.pem", "--tls-key-file", "/tls/server.key"]
RABBITMQ_URL = f"amqps://service:{PASSWORD}@outside-rabbitmq:5671/"
RABBITMQ = f"""
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /tls/ca.pem
ssl_options.certfile = /tls/server.pem
ssl_options.keyfile = /tls/server.key
default_user = service
default_pass = {PASSWORD}
"""


@pytest.fixture(params=SCALED, ids=str)
def scaled(request: pytest.FixtureRequest, case: Case, tmp_path: Path) -> Iterator[Stack]:
    """The scaled composition, started as its first lines and docs/storage.md say."""
    variant: Variant = request.param
    answers = {"project_name": f"scaled-{project_name(variant)}", "backend": variant.backend, **variant.answers}
    project = write_project(case, tmp_path / "demo", **answers, jobs_per_day="10k")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    settings = {"DATA_VOLUME": str(shared), "CA_FILE": "/app/data/authorities.pem", "TASK_EVENTS": "true"}
    stack = Stack(variant, project, files=("compose.yaml", "compose.scale.yaml"), settings=settings)
    stack.port = int(stack.settings["EDGE_PORT"])
    (project.root / "secrets").mkdir()
    (project.root / "secrets/job_store_url").write_text(REDIS_URL)
    (project.root / "secrets/broker_url").write_text(RABBITMQ_URL if variant.broker == "rabbitmq" else REDIS_URL)
    stack.shell("python3 ops/make_secrets.py")
    provide_images(project.root)
    with ExitStack() as cleanup:
        cleanup.callback(stack.remove)
        stack.compose("create --build")
        for server in stack.servers:
            folder = readable(certified(tmp_path / server, f"outside-{server}"))
            cleanup.callback(docker, "rm", "--force", "--volumes", run_outside(stack, server, folder))
        authorities = "".join((tmp_path / server / "ca.pem").read_text() for server in stack.servers)
        (shared / "authorities.pem").write_text(authorities)
        stack.up()
        yield stack


def readable(folder: Path) -> Path:
    """Let the users of containers read what is in a folder."""
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def run_outside(stack: Stack, server: str, folder: Path) -> str:
    """Run a server that the composition knows nothing of but its address; returns its container."""
    where = [f"--network={stack.name}_default", f"--network-alias=outside-{server}", f"--volume={folder}:/tls:ro"]
    if server == "redis":
        return docker("run", "--detach", *where, "redis:8-alpine", "redis-server", *REDIS)
    (folder / "rabbitmq.conf").write_text(RABBITMQ)
    (folder / "rabbitmq.conf").chmod(0o644)
    where.append(f"--volume={folder}/rabbitmq.conf:/etc/rabbitmq/conf.d/20-tls.conf:ro")
    return docker("run", "--detach", *where, "rabbitmq:4")


def test_several_hosts_worth_runs_on_outside_servers_with_tls(scaled: Stack) -> None:
    assert (len(scaled.containers("api")), len(scaled.containers("worker"))) == (2, 4)
    assert not {"redis", "rabbitmq"} & {*scaled.services}
    answers = [scaled.call("POST", "/reports", {"month": "2026-10-01", "rows": 50}) for _ in range(20)]
    assert {answer.status for answer in answers} == {202}, answers
    ids = [answer.json["id"] for answer in answers]
    scaled.all_succeed(ids)
    # Each API hands out what any worker wrote.
    assert {scaled.call("GET", f"/reports/{one}/file").status for one in ids} == {200}
    taken = [line for line in scaled.compose("logs --no-color api").splitlines() if "POST /reports" in line]
    assert len({line.split("|")[0] for line in taken}) == 2
    scaled.up("--build flower", profiles=["observe"])
    scaled.until(lambda: len(scaled.workers()) == 4, "Flower to see the workers", 60)
