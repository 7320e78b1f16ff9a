import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import enqueue
from app.jobs.broker import _queues, celery_app
from app.jobs.store import job_store
from app.settings import get_settings
from app.tasks.webhooks import deliver_webhook
from tests.conftest import Receiver
from tests.integration.conftest import ROOT, Service

pytestmark = pytest.mark.integration


@pytest.fixture
def own_worker(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker in a process group of its own, and of a service of its own on the same servers."""
    for name in ("BROKER_URL", "JOB_STORE_URL"):
        monkeypatch.setenv(name, service.env[name])
    for name, value in {"SERVICE": "stopped", "DRAIN_S": "20", "HEARTBEAT_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    caches = (get_settings, job_store, celery_app, _queues)
    for cached in caches:
        cached.cache_clear()
    worker = subprocess.Popen([sys.executable, "-m", "app.worker"], cwd=ROOT, start_new_session=True)
    yield worker
    worker.kill()
    worker.wait()
    for cached in caches:
        cached.cache_clear()


def test_a_signal_to_every_process_lets_running_jobs_finish(
    own_worker: "subprocess.Popen[bytes]", receiver: Receiver
) -> None:
    receiver.delay_s = 3
    job = asyncio.run(enqueue(deliver_webhook, receiver.url, "order.paid", {}))
    for _ in range(300):
        if receiver.calls:
            break
        time.sleep(0.1)
    os.killpg(own_worker.pid, signal.SIGTERM)
    own_worker.wait(30)
    ended = job_store().get(job.id)
    assert ended is not None
    assert (ended.state, ended.attempts, receiver.calls) == ("succeeded", 1, 1)
