from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.jobs.store import job_store
from app.main import create_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The API while nothing listens where its job store should be."""
    monkeypatch.setenv("JOB_STORE_URL", "redis://127.0.0.1:1/0")
    job_store.cache_clear()
    with TestClient(create_app()) as client:
        yield client
    job_store.cache_clear()


def test_nothing_is_accepted_that_cannot_be_kept(client: TestClient) -> None:
    answer = client.post("/reports", json={"month": "2026-10-01"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_the_api_stays_alive_but_is_not_ready(client: TestClient) -> None:
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["job_store"] == "unreachable"
