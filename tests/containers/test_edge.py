"""nginx in front: what the public reaches, how much it may send, and how soon it hears."""

import time
from http.client import HTTPConnection

import pytest

from containers.conftest import EDGE
from containers.engine import docker
from containers.stack import Stack
from service.samples import form

HIDDEN = ["/metrics", "/jobs", "/jobs/ui", "/readyz", "/docs", "/openapi.json", "/redoc"]


@pytest.fixture
def edge(behind_nginx: Stack) -> HTTPConnection:
    """A connection to nginx."""
    return HTTPConnection("127.0.0.1", int(behind_nginx.settings["EDGE_PORT"]), timeout=60)


def status(edge: HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    edge.request(method, path, body, headers)
    answer = edge.getresponse()
    answer.read()
    return answer.status


def test_what_is_for_operators_is_not_public(edge: HTTPConnection) -> None:
    assert {path: status(edge, "GET", path) for path in HIDDEN} == dict.fromkeys(HIDDEN, 404)
    assert status(edge, "GET", "/livez") == 200


def test_a_body_beyond_the_limit_is_refused_and_one_below_it_is_not(edge: HTTPConnection) -> None:
    for size, expected in {22_000_000: 413, 1_000_000: 202}.items():
        body, content_type = form("image", b"x" * size)
        assert status(edge, "POST", "/thumbnails", body, **{"Content-Type": content_type}) == expected
        edge.close()


def test_events_arrive_as_they_happen(behind_nginx: Stack, edge: HTTPConnection) -> None:
    job_id = behind_nginx.place("hold", 6)
    edge.request("GET", f"/jobs/{job_id}/events")
    stream = edge.getresponse()
    assert stream.getheader("content-type", "").startswith("text/event-stream")
    while b"data:" not in (line := stream.readline()):
        assert line
    assert behind_nginx.job(job_id)["state"] in ("queued", "running")
    assert b"succeeded" in stream.read()


def test_requests_share_connections_to_the_api(behind_nginx: Stack, edge: HTTPConnection) -> None:
    for _ in range(60):
        assert status(edge, "GET", "/livez") == 200
    # Each connection that had to be made would still be there, closed on one of the sides, for a minute.
    line = "cat /proc/net/tcp | awk '$3 ~ /:1F40$/' | wc -l"
    assert int(docker("exec", behind_nginx.container("nginx"), "sh", "-c", line)) < 20


def test_an_api_that_hangs_is_an_answer_in_time(behind_nginx: Stack, edge: HTTPConnection) -> None:
    apis = [name for name in behind_nginx.compose("config --services", profiles=EDGE).split() if name.startswith("api")]
    frozen = [behind_nginx.container(name) for name in apis]
    docker("pause", *frozen)
    try:
        asked = time.monotonic()
        edge.request("GET", "/livez")
        answer = edge.getresponse()
        assert (answer.status, answer.getheader("retry-after")) == (503, "5")
        assert time.monotonic() - asked < 25
    finally:
        docker("unpause", *frozen)
        behind_nginx.until(lambda: {behind_nginx.health(name) for name in apis} == {"healthy"}, "the API to recover")
