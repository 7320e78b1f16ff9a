"""Every backend on every broker, started for real: what the samples leave behind is looked at itself."""

import base64
import csv
import hashlib
import hmac
import json
import signal
from collections.abc import Callable, Iterator

import pytest

from service.project import Project
from service.running import Service, running
from service.samples import form, png, read_png, receiver
from service.variants import QUEUES, VARIANTS, Variant

SECRET = "of the tests"  # noqa: S105 - of the service that the tests start


@pytest.fixture(
    scope="module", params=[pytest.param(one, id=str(one), marks=pytest.mark.xdist_group(str(one))) for one in VARIANTS]
)
def variant(request: pytest.FixtureRequest) -> Variant:
    """One backend on one broker."""
    chosen: Variant = request.param
    return chosen


@pytest.fixture(scope="module")
def project(variant: Variant, installed: Callable[[Variant], Project]) -> Project:
    """The project of this variant, installed."""
    return installed(variant)


@pytest.fixture(scope="module")
def service(variant: Variant, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of this variant, running."""
    # A busy machine must not run into the limit that suits the project.
    with running(project, variant.broker, tmp_path_factory.mktemp("service"), SOFT_LIMIT_S="60") as started:
        started.start_api()
        if variant in QUEUES:
            started.start_worker()
        yield started


def test_a_webhook_arrives_signed_after_its_receiver_recovers(service: Service) -> None:
    with receiver(503, 200) as (url, got):
        answer = service.call("POST", "/webhooks", {"url": url, "event": "order.paid", "data": {"order": 7}})
        job = service.wait(answer.json["id"])
    assert (job["state"], job["attempts"], len(got)) == ("succeeded", 2, 2)
    headers, body = got[-1]
    content = f"{job['id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(SECRET.encode(), content, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body) == {"type": "order.paid", "data": {"order": 7}}


def test_the_rows_of_a_report_add_up(service: Service) -> None:
    job = service.wait(service.call("POST", "/reports", {"month": "2026-10-01", "rows": 2000}).json["id"])
    lines = service.call("GET", f"/reports/{job['id']}/file").body.decode().splitlines()
    header, *rows, total = list(csv.reader(lines))
    assert (header, len(rows)) == (["order", "region", "cents"], 2000)
    assert int(total[2]) == sum(int(row[2]) for row in rows) == job["result"]["total_cents"]


def test_a_thumbnail_has_the_colours_and_proportions_of_its_image(service: Service) -> None:
    body, content_type = form("image", png(300, 600, (10, 200, 30)))
    answer = service.call("POST", "/thumbnails", body, {"Content-Type": content_type})
    job = service.wait(answer.json["id"])
    width, height, pixel = read_png(service.call("GET", f"/thumbnails/{job['id']}/image").body)
    assert (width, height, pixel) == (128, 256, (10, 200, 30))


def test_progress_is_seen_while_reports_are_built(service: Service) -> None:
    order = {"month": "2026-10-01", "rows": 1_000_000}
    ids = [service.call("POST", "/reports", order).json["id"] for _ in range(4)]
    service.until(lambda: any(0 < (service.job(one)["progress"] or 0) < 1 for one in ids), "progress between 0 and 1")
    assert {service.wait(one)["progress"] for one in ids} == {1}


def test_failures_are_logged_with_the_job_id_and_counted(variant: Variant, service: Service) -> None:
    with receiver(410) as (url, _):
        job = service.wait(service.call("POST", "/webhooks", {"url": url, "event": "x", "data": {}}).json["id"])
    log = service.log("worker" if variant in QUEUES else "api")
    assert job["state"] == "failed"
    assert any(line.get("job_id") == job["id"] and "exception" in line for line in log)
    metrics = service.call("GET", "/metrics").body.decode()
    assert 'jobs_finished_total{state="failed",task="webhooks.deliver"} 1.0' in metrics


def test_the_project_passes_its_own_tests(project: Project) -> None:
    result = project.run("pytest", "-q", CI="1")
    assert result.returncode == 0, result.stdout[-4000:]


def test_api_and_worker_end_on_sigterm(variant: Variant, service: Service) -> None:
    assert service.stop(service.api) in (0, -signal.SIGTERM)
    if variant in QUEUES:
        assert service.stop(service.worker) == 0
