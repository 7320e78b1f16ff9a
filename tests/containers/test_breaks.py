"""What is killed, hangs, or takes more memory than it may: it alone goes, and its jobs come back."""

import http.client
import json
import logging
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from containers.engine import docker, signal_processes
from containers.stack import Stack

logger = logging.getLogger(__name__)

# Where an event loop runs the jobs, CPU work gets a process of its own; where the API runs them, all else is the API.
CULPRITS = {"backgroundtasks": ["swallow_beside"], "arq": ["swallow_beside", "swallow_here"]}
ROUNDS = 5
IDLE_S = 10
SAMPLES_PER_S = 100
ENOUGH = 1500


def test_the_limits_of_compose_are_in_force(stack: Stack) -> None:
    for service, wanted in json.loads(stack.compose("config --format json"))["services"].items():
        limits, host = wanted["deploy"]["resources"]["limits"], stack.inspect(service)["HostConfig"]
        assert host["Memory"] == int(limits["memory"]) > 0
        assert host["NanoCpus"] == float(limits["cpus"]) * 1e9 > 0
        assert host["PidsLimit"] == limits["pids"] > 0
        assert host["MemoryReservation"] == int(wanted["deploy"]["resources"]["reservations"]["memory"]) > 0


def test_a_job_above_the_memory_limit_takes_only_its_process_along(stack: Stack) -> None:
    before, since = starts(stack), time.time()
    rounds = [p99s_ms(stack)]
    # Whatever else this machine does slows a single round down; what the service does shows in all of them.
    while rounds[-1].meanwhile >= 2 * rounds[-1].idle and len(rounds) < ROUNDS:
        rounds.append(p99s_ms(stack))
    logger.info("%s: %s", stack.variant, rounds)
    assert victims(stack, since) == {stack.container(stack.runner)}
    assert starts(stack) == before
    assert rounds[-1].meanwhile < 2 * rounds[-1].idle, rounds


def test_what_computes_lets_the_event_loop_beside_it_go_first(stack: Stack) -> None:
    job = stack.wait(stack.place("niceness"))
    assert job["result"] == (10 if stack.variant.backend in CULPRITS else 0)


def test_a_killed_worker_starts_its_jobs_again_within_30_s(stack: Stack) -> None:
    ids = [stack.place("hold", 4) for _ in range(stack.places + 4)]
    stack.until(lambda: len(stack.jobs("running")) == stack.places, "as many running jobs as there are places")
    in_flight, killed = stack.jobs("running"), time.monotonic()
    stack.compose("kill -s KILL", stack.runner)
    stack.up()  # to the engine that kill was a stop: it waits for its operator
    assert time.monotonic() < killed + 30
    if stack.remembers:
        left_s = killed + 30 - time.monotonic()
        stack.until(lambda: all(stack.job(one)["attempts"] == 2 for one in in_flight), "the jobs' next start", left_s)
        assert {job["id"] for job in stack.all_succeed(ids) if job["attempts"] > 1} == in_flight


def test_a_hung_worker_turns_unhealthy_within_60_s_and_a_restart_helps(stack: Stack) -> None:
    ids = [stack.place("hold", 4) for _ in range(stack.places)]
    signal_processes(stack.container(stack.runner), signal.SIGSTOP)
    stack.until(lambda: stack.health(stack.runner) == "unhealthy", "the health check to notice", 60)
    stack.compose("restart", stack.runner)
    stack.up()
    stack.all_succeed([*(ids if stack.remembers else []), stack.place("hold", 0.1)])


class Times(NamedTuple):
    """What 99 of 100 calls of `/livez` stay below, in milliseconds."""

    idle: float
    meanwhile: float


def p99s_ms(stack: Stack) -> Times:
    """Ask the API how it does while jobs take too much until they are dead letters, and before and after that."""
    idle = response_times(stack, for_a_while())
    meanwhile: list[float] = []
    while len(meanwhile) < ENOUGH:
        for probe in CULPRITS.get(stack.variant.backend, ["swallow_here"]):
            job_id = stack.place(probe, 2 * stack.inspect(stack.runner)["HostConfig"]["Memory"] // 1_000_000)
            meanwhile += response_times(stack, given_up(stack, job_id))
            assert (stack.job(job_id)["attempts"], stack.job(job_id)["reason"]) == (2, "worker_lost")
        idle += response_times(stack, for_a_while())
    return Times(*(round(sorted(times)[len(times) * 99 // 100] * 1000, 1) for times in (idle, meanwhile)))


def given_up(stack: Stack, job_id: str) -> Callable[[], bool]:
    """Return what tells whether the job is a dead letter."""
    return lambda: bool(stack.job(job_id)["state"] == "failed")


def for_a_while() -> Callable[[], bool]:
    """Return what tells whether a while has passed."""
    end = time.monotonic() + IDLE_S
    return lambda: time.monotonic() > end


def response_times(stack: Stack, done: Callable[[], bool]) -> list[float]:
    """Ask for `/livez` a hundred times a second until it is done; returns what each took, in seconds."""
    times: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    while len(times) % SAMPLES_PER_S or not done():
        started = time.perf_counter()
        connection.request("GET", "/livez")
        assert connection.getresponse().read().startswith(b'{"status":"alive"')
        times.append(time.perf_counter() - started)
        time.sleep(1 / SAMPLES_PER_S)
    connection.close()
    return times


def starts(stack: Stack) -> dict[str, str]:
    """Return when each service but the worker was started."""
    return {service: stack.inspect(service)["State"]["StartedAt"] for service in ("api", *stack.servers)}


def victims(stack: Stack, since: float) -> set[str]:
    """Return the containers of the composition in which the kernel killed for memory."""
    words = ["events", f"--since={since}", f"--until={time.time()}", "--filter=event=oom", "--format={{.Actor.ID}}"]
    return set(docker(*words, f"--filter=label=com.docker.compose.project={stack.name}").splitlines())
