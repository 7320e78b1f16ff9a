"""The worker's health check turns false when the worker hangs, also when only what takes its messages does."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.project import Project
from service.running import Service, running
from service.variants import QUEUES, Variant, per_variant

# Blocks the very thread or event loop that reports a round of taking messages, and nothing else.
HANG = """
import os
import sys
import time

from app.jobs import heartbeat


def hanging(report):
    def wait_and_report(*args):
        # In a process of Celery's pool this thread does something else.
        while os.path.exists(os.environ["HANG"]) and (name == "beat" or args[0].name == "main"):
            time.sleep(0.1)
        return report(*args)

    return wait_and_report


# Celery's event loop touches the file itself; the others report from where they take messages.
for name in ("touch",) if "celery" in sys.modules else ("beat",):
    report = getattr(heartbeat, name)
    for module in list(sys.modules.values()):
        if getattr(module, name, None) is report:
            setattr(module, name, hanging(report))
"""


@pytest.fixture
def service(
    request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """A worker that can be made to hang, without an API."""
    variant: Variant = request.param
    project = Project(tmp_path / "demo")
    shutil.copytree(installed(variant).root, project.root, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (project.root / ".venv").symlink_to(installed(variant).root / ".venv")
    (project.root / "app/tasks/hang.py").write_text(HANG)
    with running(project, variant.broker, tmp_path, HANG=str(tmp_path / "hang")) as started:
        started.start_worker()
        yield started


@pytest.mark.parametrize("service", per_variant(QUEUES), indirect=True)
def test_a_worker_that_takes_no_messages_turns_unhealthy_and_recovers(service: Service) -> None:
    hang = Path(service.env["HANG"])
    hang.touch()
    service.until(lambda: not service.healthy(), "the health check to turn false")
    hang.unlink()
    service.until(service.healthy, "the health check to turn true")


# One for each way to run processes: the supervisor's and Celery's.
@pytest.mark.parametrize(
    "service", per_variant(one for one in QUEUES if str(one) in ("huey-sqlite", "celery-redis")), indirect=True
)
def test_a_worker_that_stands_still_turns_unhealthy(service: Service) -> None:
    assert service.worker is not None
    os.killpg(service.worker.pid, signal.SIGSTOP)
    service.until(lambda: not service.healthy(), "the health check to turn false")


@pytest.mark.parametrize(
    "service", per_variant(one for one in QUEUES if str(one) in ("huey-sqlite", "celery-redis")), indirect=True
)
def test_one_process_of_a_worker_that_stands_still_turns_it_unhealthy(service: Service) -> None:
    assert service.worker is not None
    threads = Path(f"/proc/{service.worker.pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    (one, *_) = (child for child in children if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text())
    os.kill(one, signal.SIGSTOP)
    service.until(lambda: not service.healthy(), "the health check to turn false")
    os.kill(one, signal.SIGCONT)
    service.until(service.healthy, "the health check to turn true")
