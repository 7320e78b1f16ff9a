"""The image: what is in it, who runs in it, and what running containers may do."""

import json
from pathlib import Path, PurePath
from typing import Any

import pytest

from bgtasks.case import Case
from containers.engine import docker
from containers.stack import Stack
from service.project import write_project

USER = "10001"


@pytest.fixture
def image(stack: Stack) -> dict[str, Any]:
    """The image that API and worker run from."""
    (found,) = json.loads(docker("image", "inspect", stack.inspect("api")["Image"]))
    config: dict[str, Any] = found["Config"]
    return config


def inside(stack: Stack, service: str, line: str) -> str:
    """Type a line in the container of a service, and return what it printed, errors too."""
    return docker("exec", stack.container(service), "sh", "-c", f"{line} 2>&1 || true")


def test_the_image_runs_as_a_user_of_fixed_number_and_hears_signals(image: dict[str, Any]) -> None:
    assert image["User"] == f"{USER}:{USER}"
    assert image["Cmd"][0] == "uvicorn"  # no shell in between
    assert image["StopSignal"] == "SIGTERM"
    assert image["Healthcheck"]["Test"]
    labels = {"title", "description", "version", "revision"}
    assert {f"org.opencontainers.image.{name}" for name in labels} <= image["Labels"].keys()


def test_api_and_worker_run_from_the_same_layers(stack: Stack) -> None:
    layers = [
        json.loads(docker("image", "inspect", stack.inspect(service)["Image"]))[0]["RootFS"]["Layers"]
        for service in {"api", stack.runner}
    ]
    assert all(one == layers[0] for one in layers)


def test_no_secret_and_no_build_tool_is_in_the_image(stack: Stack) -> None:
    name = str(stack.inspect("api")["Config"]["Image"])
    line = "ls -A /app; for tool in pip uv gcc make git; do command -v $tool; done; true"
    found = docker("run", "--rm", "--no-healthcheck", "--entrypoint", "sh", name, "-c", line).split()
    assert sorted(found) == ["app", "data", "settings.toml"]


def test_the_builder_is_sent_no_secret_no_history_and_no_cache(case: Case, tmp_path: Path) -> None:
    project = write_project(case, tmp_path / "demo")
    for name in (".env", ".git/config", ".venv/x", "secrets/broker_url", "data/x", "app/__pycache__/x.pyc", "app/.env"):
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text("not for the image")
    everything = tmp_path / "Dockerfile"
    everything.write_text("FROM scratch\nCOPY . /\n")
    docker("build", f"--file={everything}", f"--output={tmp_path}/sent", str(project.root))
    sent = {path.relative_to(tmp_path / "sent").as_posix() for path in (tmp_path / "sent").rglob("*") if path.is_file()}
    assert {path for path in sent if not path.startswith("app/")} == {
        "pyproject.toml",
        "requirements.txt",
        "settings.toml",
    }
    kinds = {PurePath(path).suffix or path for path in sent if path.startswith("app/")}
    assert kinds <= {".py", ".html", ".lua", ".sql", ".md"}, kinds


def test_code_and_libraries_are_compiled_before_they_start(stack: Stack) -> None:
    for folder in ("/app/app", "/venv/lib/python3*/site-packages/starlette"):
        assert ".pyc" in inside(stack, "api", f"ls {folder}/__pycache__"), folder


def test_what_runs_has_no_power_and_writes_nowhere_but_where_it_should(stack: Stack) -> None:
    for service in {"api", stack.runner}:
        status = dict(line.split(":\t", 1) for line in inside(stack, service, "cat /proc/self/status").splitlines())
        assert status["Uid"].split() == [USER] * 4
        assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        for path in ("/app", "/app/app", "/venv", "/etc", "/usr/local/bin", "/run"):
            assert "cannot touch" in inside(stack, service, f"touch {path}/x"), path
        assert inside(stack, service, "touch /tmp/x /app/data/x && rm /tmp/x /app/data/x") == ""


@pytest.mark.brokers("redis", "rabbitmq")
def test_servers_run_without_power_too(stack: Stack) -> None:
    for service in stack.servers:
        status = dict(line.split(":\t", 1) for line in inside(stack, service, "cat /proc/self/status").splitlines())
        assert status["Uid"].split()[0] != "0", service
        assert status["CapEff"] == "0" * 16, service


@pytest.mark.brokers("redis", "rabbitmq")
def test_redis_refuses_who_has_no_password(stack: Stack) -> None:
    assert "NOAUTH" in inside(stack, "redis", "redis-cli ping")
    assert "NOAUTH" in inside(stack, "redis", "redis-cli get x")
    assert stack.inspect("redis")["HostConfig"]["PortBindings"] == {}


def test_secrets_are_private_files_that_only_containers_and_their_owner_read(stack: Stack) -> None:
    names = sorted(path.name for path in (stack.project.root / "secrets").iterdir() if path.is_file())
    assert names
    modes = {path.stat().st_mode & 0o777 for path in (stack.project.root / "secrets").rglob("*") if path.is_file()}
    assert modes == {0o600}
    environment = "\n".join(stack.inspect("api")["Config"]["Env"])
    for name in names:
        assert (stack.project.root / "secrets" / name).read_text().strip() not in environment
