"""Servers that restart or come late, and the stop of it all: nothing that was accepted is lost."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from containers.engine import docker
from containers.load import steady_load
from containers.stack import Stack
from service.caller import Answer

DELAY_S = 30


@pytest.mark.brokers("redis", "rabbitmq", "sqlite")
def test_a_restart_of_what_holds_the_jobs_loses_none(stack: Stack) -> None:
    backlog = [stack.place("hold", 1) for _ in range(4 * stack.places)]
    with steady_load(stack) as load:
        for service in stack.servers or ["worker", "api"]:
            load.more(20)
            stack.compose("restart", service)
        load.more(20)
    stack.all_succeed(backlog + load.accepted)
    # Where the API itself is restarted, there is nobody to answer.
    assert not stack.servers or set(load.answers) <= {200, 202, 503}, load.answers


def test_a_stop_ends_everything_in_time_and_by_itself(stack: Stack) -> None:
    short, long = [stack.place("hold", 2) for _ in range(2)], stack.place("hold", 10)
    stack.until(lambda: stack.jobs("running") >= {*short, long}, "the jobs to run")
    since = time.time()
    stack.compose("stop")
    codes = {service: stack.inspect(service)["State"]["ExitCode"] for service in stack.services}
    assert set(codes.values()) <= {0, 143}, codes
    sent = signals(stack, since)
    assert ("15" in sent, "9" in sent) == (True, False), sent
    done, lost = (logged(stack, message) for message in ("job succeeded", "job lost at shutdown"))
    assert (done >= {*short}, lost) == (True, set() if stack.remembers else {long})
    stack.up()
    if stack.remembers:
        assert {job["attempts"] for job in stack.all_succeed([*short, long])} == {1}


@pytest.mark.brokers("rabbitmq")
def test_an_order_that_nginx_saw_refused_leaves_no_job(behind_nginx: Stack) -> None:
    edge = replace(behind_nginx)
    edge.port = int(behind_nginx.settings["EDGE_PORT"])
    before = behind_nginx.jobs("queued")
    behind_nginx.compose("stop rabbitmq")
    answers = [edge.call("POST", "/reports", {"month": "2026-10-01"}) for _ in range(3)]
    assert [(answer.status, "retry-after" in answer.headers) for answer in answers] == [(503, True)] * 3
    # The answer may come a moment before the job is taken back.
    behind_nginx.until(lambda: behind_nginx.jobs("queued") == before, "the refused jobs to be gone", 10)
    behind_nginx.up()


@pytest.mark.brokers("redis", "rabbitmq")
def test_the_api_waits_for_a_broker_that_starts_late(stack: Stack) -> None:
    late = with_late_broker(stack)
    stack.compose("down")
    accepted, started = [], time.monotonic()
    with ThreadPoolExecutor() as pool:
        up = pool.submit(late.up)
        while not up.done():
            if (answer := order(stack)) and answer.status != 503:
                assert (answer.status, time.monotonic() > started + DELAY_S) == (202, True)
                accepted.append(answer.json["id"])
            time.sleep(0.5)
        up.result()
    stack.all_succeed([*accepted, stack.place("hold", 0.1)])


@pytest.mark.brokers("redis", "rabbitmq")
def test_an_api_without_its_broker_accepts_nothing_until_that_is_back(stack: Stack) -> None:
    stack.compose("stop")
    broker = stack.servers[-1]
    # As after a restart of the host: the engine starts all of them, whatever depends on what.
    docker("start", *(stack.container(service) for service in stack.services if service != broker))
    stack.until(lambda: order(stack) is not None, "the API to answer")
    back = time.monotonic() + DELAY_S
    while time.monotonic() < back:
        answers = [order(stack), stack.call("GET", "/readyz"), stack.call("GET", "/livez")]
        assert [answer and answer.status for answer in answers] == [503, 503, 200]
        time.sleep(0.5)
    docker("start", stack.container(broker))
    stack.until(lambda: {stack.health(service) for service in stack.services} == {"healthy"}, "all to be healthy")
    assert {stack.inspect(service)["RestartCount"] for service in stack.services} == {0}
    stack.all_succeed([stack.place("hold", 0.1)])
    assert stack.jobs("queued") == set()


def order(stack: Stack) -> Answer | None:
    """Order a job; None when nobody answers."""
    try:
        return stack.call("POST", "/probe/hold", [0.1])
    except OSError:
        return None


def with_late_broker(stack: Stack) -> Stack:
    """Return the same composition, but its broker starts 30 s after its container."""
    broker = stack.servers[-1]
    config = stack.inspect(broker)["Config"]
    waiting = {
        "entrypoint": ["sh", "-c", f'sleep {DELAY_S}; exec "$$@"', "--"],
        "command": [*config["Entrypoint"], *config["Cmd"]],
    }
    (stack.project.root / "compose.late.yaml").write_text(json.dumps({"services": {broker: waiting}}))
    return replace(stack, files=[*stack.files, "compose.late.yaml"])


def logged(stack: Stack, message: str) -> set[str]:
    """Return the jobs of which the last run of the worker said so."""
    since = stack.inspect(stack.runner)["State"]["StartedAt"]
    said = stack.compose(f"logs --no-color --no-log-prefix --since {since}", stack.runner)
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {line["job_id"] for line in lines if line["message"] == message}


def signals(stack: Stack, since: float) -> set[str]:
    """Return the signals that the engine sent to the containers since then."""
    words = ["events", f"--since={since}", f"--until={time.time()}", "--filter=event=kill"]
    only = f"--filter=label=com.docker.compose.project={stack.name}"
    return set(docker(*words, only, "--format={{.Actor.Attributes.signal}}").splitlines())
