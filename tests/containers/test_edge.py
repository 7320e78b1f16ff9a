"""nginx in front: what the public reaches, how much it may send, and how soon it hears."""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import repeat

import pytest

from containers.conftest import EDGE
from containers.engine import docker
from containers.stack import Stack
from service.samples import form

MANY = 6  # times 20 MB are more than /tmp holds, in nginx as in the API
IDLE = ("--entrypoint=sleep", "redis:8-alpine", "600")
HIDDEN = ["/metrics", "/jobs", "/jobs/ui", "/readyz", "/docs", "/openapi.json", "/redoc"]


@pytest.fixture
def edge(behind_nginx: Stack) -> HTTPConnection:
    """A connection to nginx."""
    return HTTPConnection("127.0.0.1", int(behind_nginx.settings["EDGE_PORT"]), timeout=60)


def again(edge: HTTPConnection) -> HTTPConnection:
    """Another connection to the same place."""
    return HTTPConnection(edge.host, edge.port, timeout=60)


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


def test_many_large_uploads_at_once_are_all_accepted(edge: HTTPConnection) -> None:
    body, content_type = form("image", b"x" * 19_900_000)

    def upload(_: int) -> int:
        return status(again(edge), "POST", "/thumbnails", body, **{"Content-Type": content_type})

    with ThreadPoolExecutor(MANY) as threads:
        assert [*threads.map(upload, range(MANY))] == [202] * MANY


def test_those_who_read_a_large_file_slowly_get_all_of_it(behind_nginx: Stack, edge: HTTPConnection) -> None:
    order = behind_nginx.call("POST", "/reports", {"month": "2026-10-01", "rows": 700_000}).json
    assert behind_nginx.wait(order["id"])["state"] == "succeeded"
    readers = [again(edge) for _ in range(MANY)]
    for reader in readers:
        reader.request("GET", f"/reports/{order['id']}/file")
    answers = [reader.getresponse() for reader in readers]
    time.sleep(3)
    sizes = [(int(answer.headers["content-length"]), len(answer.read())) for answer in answers]
    assert {expected == got for expected, got in sizes} == {True}
    assert sum(got for _, got in sizes) > 64 << 20


def test_the_api_knows_how_it_was_called(edge: HTTPConnection) -> None:
    edge.request("GET", "/livez/")
    assert edge.getresponse().headers["location"] == f"http://127.0.0.1:{edge.port}/livez"
    secure = again(edge)
    secure.request("GET", "/livez/", headers={"X-Forwarded-Proto": "https"})
    assert secure.getresponse().headers["location"] == f"https://127.0.0.1:{edge.port}/livez"


@pytest.mark.brokers("redis", "rabbitmq", "sqlite")
def test_an_api_that_moved_is_found_under_traffic(behind_nginx: Stack, edge: HTTPConnection) -> None:
    before = address(behind_nginx, "api")
    network, api = f"{behind_nginx.name}_default", behind_nginx.container("api")
    docker("network", "disconnect", network, api)
    # Somebody else has the address now.
    docker("network", "connect", network, docker("create", "--name", f"{behind_nginx.name}-squatter", *IDLE))
    docker("start", f"{behind_nginx.name}-squatter")
    try:
        docker("network", "connect", "--alias", "api", network, api)
        assert address(behind_nginx, "api") != before
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert status(again(edge), "GET", "/livez") == 200
            time.sleep(0.05)
        docker("pause", behind_nginx.container("api-spare"))
        assert [status(again(edge), "GET", "/livez") for _ in repeat(None, 10)] == [200] * 10
    finally:
        docker("unpause", behind_nginx.container("api-spare"), check=False)
        docker("rm", "--force", f"{behind_nginx.name}-squatter")
        behind_nginx.compose("restart api")  # its connections lead to where it was


def address(stack: Stack, service: str) -> str:
    """Return the address of a service in the network of the composition."""
    return str(stack.inspect(service)["NetworkSettings"]["Networks"][f"{stack.name}_default"]["IPAddress"])


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
