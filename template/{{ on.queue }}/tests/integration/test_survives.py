"""The promise: a job that was accepted is done, whatever dies, and a repeated request is one job."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2
import pytest

from tests.conftest import Receiver
from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

JOBS = 12
CALLERS = 7


def deliver(service: Service, receiver: Receiver, **headers: str) -> httpx2.Response:
    body = {"url": receiver.url, "event": "order.paid", "data": {}}
    return service.api.post("/webhooks", json=body, headers=headers)


def states(service: Service, job_ids: list[str]) -> dict[str, str]:
    return {job_id: service.api.get(f"/jobs/{job_id}").json()["state"] for job_id in job_ids}


def test_a_killed_worker_loses_no_job_and_repeats_none_that_was_done(service: Service, receiver: Receiver) -> None:
    receiver.delay_s = 1
    job_ids = [deliver(service, receiver).json()["id"] for _ in range(JOBS)]
    wait_until_some_are_done_and_some_run(service, job_ids)
    kill_worker(service)
    done = [job_id for job_id, state in states(service, job_ids).items() if state == "succeeded"]
    before = [service.wait(job_id) for job_id in done]
    service.start_worker()
    # The leases of those in flight run out first, within 15 s.
    assert {service.wait(job_id, seconds=60)["state"] for job_id in job_ids} == {"succeeded"}
    assert set(receiver.accepted) == set(job_ids)
    assert [service.wait(job_id) for job_id in done] == before


def test_a_key_that_callers_repeat_at_the_same_moment_is_one_job_that_runs_once(
    service: Service, receiver: Receiver
) -> None:
    together = Barrier(CALLERS)

    def call(_: int) -> httpx2.Response:
        together.wait()
        return deliver(service, receiver, **{"Idempotency-Key": "order-7"})

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(call, range(CALLERS)))
    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json()["id"] for answer in answers}
    assert service.wait(job_id)["attempts"] == 1
    service.wait(deliver(service, receiver).json()["id"])
    assert receiver.calls == 2


def kill_worker(service: Service) -> None:
    """End the worker with all its processes, as a kernel without memory does."""
    assert service.worker is not None
    os.killpg(service.worker.pid, signal.SIGKILL)
    service.worker.wait()


def wait_until_some_are_done_and_some_run(service: Service, job_ids: list[str]) -> None:
    deadline = time.monotonic() + 60
    while not {"succeeded", "running"} <= set(states(service, job_ids).values()):
        assert time.monotonic() < deadline, states(service, job_ids)
        time.sleep(0.1)
