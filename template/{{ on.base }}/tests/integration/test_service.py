import csv
import json
from io import BytesIO, StringIO

import httpx2
import pytest
from PIL import Image

from tests.conftest import Receiver
from tests.integration.conftest import Service

pytestmark = pytest.mark.integration


def order_report(service: Service, rows: int = 100, key: str | None = None) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return service.api.post("/reports", json={"month": "2026-10-01", "rows": rows}, headers=headers)


def test_a_report_is_accepted_built_and_downloaded(service: Service) -> None:
    answer = order_report(service)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{answer.json()['id']}"
    job = service.wait(answer.json()["id"])
    rows = list(csv.reader(StringIO(service.api.get(f"/reports/{job['id']}/file").text)))
    assert job["state"] == "succeeded"
    assert rows[-1] == ["total", "", str(job["result"]["total_cents"])]


def test_an_uploaded_image_becomes_a_thumbnail(service: Service) -> None:
    content = BytesIO()
    Image.new("RGB", (640, 1280), "blue").save(content, format="PNG")
    answer = service.api.post("/thumbnails", files={"image": ("blue.png", content.getvalue())})
    job = service.wait(answer.json()["id"])
    with Image.open(BytesIO(service.api.get(f"/thumbnails/{job['id']}/image").content)) as small:
        assert small.size == (128, 256)
        assert small.convert("RGB").getpixel((64, 128)) == (0, 0, 255)


def test_a_webhook_is_delivered_once_its_receiver_recovers(service: Service, receiver: Receiver) -> None:
    receiver.statuses = [503]
    answer = service.api.post("/webhooks", json={"url": receiver.url, "event": "order.paid", "data": {"order": 7}})
    job = service.wait(answer.json()["id"])
    assert (job["state"], job["attempts"], job["result"], job["error"]) == ("succeeded", 2, 200, None)
    assert receiver.accepted == {job["id"]: {"type": "order.paid", "data": {"order": 7}}}


def test_a_failed_job_keeps_its_error_and_can_be_retried(service: Service, receiver: Receiver) -> None:
    receiver.statuses = [410]
    answer = service.api.post("/webhooks", json={"url": receiver.url, "event": "x", "data": {}})
    job = service.wait(answer.json()["id"])
    assert job["state"] == "failed"
    assert "410" in job["error"]
    assert service.api.post(f"/jobs/{job['id']}/retry").status_code == 202
    assert service.wait(job["id"], "succeeded")["result"] == 200


def test_a_repeated_key_is_one_job(service: Service) -> None:
    ids = {order_report(service, key="october").json()["id"] for _ in range(7)}
    assert len(ids) == 1


def test_events_follow_a_job_to_its_end(service: Service) -> None:
    job_id = order_report(service, rows=1000).json()["id"]
    with service.api.stream("GET", f"/jobs/{job_id}/events") as stream:
        last = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")][-1]
    assert json.loads(last)["state"] == "succeeded"


def test_an_unknown_job_is_a_404(service: Service) -> None:
    assert service.api.get("/jobs/unknown").status_code == 404


def test_the_counts_of_jobs_are_in_the_metrics(service: Service) -> None:
    service.wait(order_report(service).json()["id"])
    assert 'jobs_finished_total{state="succeeded",task="reports.build"}' in service.api.get("/metrics").text
