"""From nothing to jobs that succeed, and on after a crash: what each push checks for every backend."""

import base64
import csv
import hashlib
import hmac
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from containers.engine import docker, signal_processes
from containers.stack import Stack
from service.samples import form, png, read_png

pytestmark = pytest.mark.quick

# A partner's server, beside the service: it prints what it got.
PARTNER = """
import http.server
import json


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        print(json.dumps({"headers": {name.lower(): value for name, value in self.headers.items()}, "body": body}))
        self.send_response(200)
        self.end_headers()


http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""


@contextmanager
def partner(stack: Stack) -> Iterator[str]:
    """Run the partner's server on the network of the service; gives its container."""
    image = str(stack.inspect("api")["Config"]["Image"])
    where = [f"--network={stack.name}_default", "--network-alias=partner"]
    started = docker("run", "--detach", "--rm", *where, "--no-healthcheck", image, "python", "-u", "-c", PARTNER)
    try:
        yield started
    finally:
        docker("rm", "--force", started)


def test_everything_is_healthy_after_the_start(stack: Stack) -> None:
    states = {service: stack.health(service) for service in stack.compose("config --services").split()}
    assert set(states.values()) == {"healthy"}
    assert {"api", stack.runner, *stack.servers} == set(states)


def test_a_signed_webhook_reaches_its_receiver(stack: Stack) -> None:
    with partner(stack) as receiver:
        order = {"url": "http://partner:8000/events", "event": "order.paid", "data": {"order": 7}}
        job = stack.wait(stack.call("POST", "/webhooks", order).json["id"])
        got: dict[str, Any] = json.loads(docker("logs", receiver).splitlines()[-1])
    assert job["state"] == "succeeded"
    assert json.loads(got["body"]) == {"type": "order.paid", "data": {"order": 7}}
    secret = (stack.project.root / "secrets/webhook_secret").read_bytes()
    content = f"{job['id']}.{got['headers']['webhook-timestamp']}.{got['body']}".encode()
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    assert got["headers"]["webhook-signature"] == f"v1,{signature}"


def test_a_report_built_by_the_worker_is_downloaded_from_the_api(stack: Stack) -> None:
    job = stack.wait(stack.call("POST", "/reports", {"month": "2026-10-01", "rows": 2000}).json["id"])
    rows = list(csv.reader(stack.call("GET", f"/reports/{job['id']}/file").body.decode().splitlines()))
    assert len(rows) == 2002
    assert int(rows[-1][2]) == job["result"]["total_cents"]


def test_a_thumbnail_is_made(stack: Stack) -> None:
    body, content_type = form("image", png(300, 600, (10, 200, 30)))
    job = stack.wait(stack.call("POST", "/thumbnails", body, {"Content-Type": content_type}).json["id"])
    assert read_png(stack.call("GET", f"/thumbnails/{job['id']}/image").body) == (128, 256, (10, 200, 30))


def test_what_crashes_starts_again_and_its_jobs_with_it(stack: Stack) -> None:
    ids = [stack.place("hold", 4) for _ in range(stack.places + 4)]
    stack.until(lambda: len(stack.jobs("running")) == stack.places, "as many running jobs as there are places")
    in_flight, before = stack.jobs("running"), stack.inspect(stack.runner)
    signal_processes(before["Id"], signal.SIGKILL, first_only=True)
    if stack.variant.broker != "memory":  # where the API itself remembers its jobs, they are gone: that is promised
        stack.until(lambda: all(stack.job(one)["attempts"] == 2 for one in in_flight), "the jobs to start again", 30)
        stack.all_succeed(ids)
    stack.until(lambda: stack.health(stack.runner) == "healthy", "the health check to turn true")
    after = stack.inspect(stack.runner)
    assert (after["Id"], after["RestartCount"]) == (before["Id"], before["RestartCount"] + 1)
