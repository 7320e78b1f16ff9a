from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.main import create_app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app()) as client:
        yield client


def test_the_api_is_alive_and_names_each_request(client: TestClient) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": "abc"})
    assert answer.json()["status"] == "alive"
    assert answer.headers["X-Request-ID"] == "abc"


def test_webhooks_go_to_allowed_hosts_only(client: TestClient) -> None:
    answer = client.post("/webhooks", json={"url": "http://169.254.169.254/", "event": "x", "data": {}})
    assert answer.status_code == 422
    assert "WEBHOOK_HOSTS" in answer.json()["detail"]


def test_the_page_of_jobs_is_served(client: TestClient) -> None:
    assert "<title>Jobs</title>" in client.get("/jobs/ui").text


def test_a_report_that_is_not_there_yet_is_a_404(client: TestClient) -> None:
    assert client.get("/reports/unknown/file").status_code == 404
