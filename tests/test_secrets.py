"""A project's secret files: made once, private, and refreshed for containers whenever `poe secrets` runs."""

import os
import stat
from pathlib import Path

import pytest

from bgtasks.case import Case
from conftest import CommandLine
from service.project import Project, write_project

SCRIPT = ("python3", "ops/make_secrets.py", "--local")


@pytest.fixture
def project(case: Case, tmp_path: Path) -> Project:
    """A project with the most secrets: those of Redis and of RabbitMQ."""
    return write_project(case, tmp_path / "demo", backend="celery", infrastructure="rabbitmq")


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077], ids=oct)
def test_nobody_else_reads_a_secret_whatever_the_umask_is(project: Project, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert project.run(*SCRIPT).returncode == 0
    finally:
        os.umask(before)
    folder = project.root / "secrets"
    assert modes(folder) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_containers_get_the_secret_that_people_have(project: Project) -> None:
    project.run(*SCRIPT)
    folder = project.root / "secrets"
    mounted = {path.name: path.read_text() for path in (folder / "mounted").iterdir()}
    assert {"broker_url", "job_store_url", "redis_auth", "rabbitmq_auth", "webhook_secret"} <= set(mounted)
    assert mounted == {name: (folder / name).read_text() for name in mounted}
    assert (folder / "redis_password").read_text() in mounted["job_store_url"]


def test_a_changed_secret_is_kept_and_reaches_the_containers(project: Project) -> None:
    project.run(*SCRIPT)
    (project.root / "secrets/broker_url").write_text("amqps://elsewhere/")
    assert project.run(*SCRIPT).stdout == ""
    assert (project.root / "secrets/mounted/broker_url").read_text() == "amqps://elsewhere/"


def test_no_secret_is_made_twice_with_the_same_text(case: Case, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        made = write_project(case, tmp_path / name)
        made.run(*SCRIPT)
        texts.append((made.root / "secrets/webhook_secret").read_text())
    assert texts[0] != texts[1]
    assert len(texts[0]) >= 32


def test_git_ignores_all_of_them(project: Project) -> None:
    project.run(*SCRIPT)
    project.run("git", "init", "--quiet")
    assert "?? secrets/" not in project.run("git", "status", "--porcelain", "--untracked-files=all").stdout


def test_a_new_project_has_its_secrets(bgtasks: CommandLine) -> None:
    result = bgtasks("new", "orders", "--defaults")
    assert (result.exit_code, result.stderr) == (0, "")
    assert modes(Path("orders/secrets")) == {0o600}


def test_new_says_when_they_cannot_be_made(bgtasks: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    result = bgtasks("new", "orders", "--defaults")
    assert result.exit_code == 0
    assert "`poe secrets` in the project makes them" in result.stderr
