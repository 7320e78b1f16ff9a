"""The job stores keep their promise, whatever is asked of them, in which order and by whom.

A machine calls a project's store from three processes; a model in plain Python says what has to come of it. The
examples are the same in every run; `STORE_EXAMPLES=5000` tries others, and more of them.
"""

import os
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from service.brokers import redis_server
from service.project import Project
from service.redis import RedisEye
from service.variants import QUEUES, Variant, per_variant
from stores.machine import ALL, API, SETTINGS, Store, StoreMachine
from stores.process import StoreProcess
from stores.promise import LEASE_S, PATIENCE_S, RETENTION_S, UNSEEN_S

REDIS = per_variant(one for one in QUEUES if str(one) == "huey-redis")
NOW_S = 1_000_000
EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "250"))


@pytest.fixture
def store(request: pytest.FixtureRequest, installed: Callable[[Variant], Project], tmp_path: Path) -> Iterator[Store]:
    """Three processes of a project, and a place for each store that the machine asks for."""
    variant: Variant = request.param
    processes = [StoreProcess(installed(variant), variant.broker) for _ in ALL]
    if variant.broker == "sqlite":
        numbers = count()
        yield Store("sqlite", lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db", processes)
    else:
        server = redis_server(tmp_path)
        server.start()
        eye = RedisEye(server.port)

        def next_url() -> str:
            eye.ask("FLUSHALL")
            return f"redis://127.0.0.1:{server.port}/0"

        yield Store("redis", next_url, processes)
        server.stop()
    for process in processes:
        process.end()


@pytest.mark.parametrize(
    "store", per_variant(one for one in QUEUES if str(one) in ("huey-sqlite", "huey-redis")), indirect=True
)
def test_a_store_does_what_the_model_says(store: Store) -> None:
    run_state_machine_as_test(
        type("OneStoreMachine", (StoreMachine,), {"store": store}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            derandomize="STORE_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def process(store: Store) -> StoreProcess:
    """A process with its store open, which has looked for a while, and in which a job runs that may be tried twice."""
    process = store.processes[API]
    process.probe("open", store.next_url(), SETTINGS)
    for ago_s in range(LEASE_S + UNSEEN_S, -1, -UNSEEN_S):
        process.probe("set_clock", NOW_S - ago_s, 0)
        process.call("due")
    process.call("add", "a", "t", "default", "[]", "", 1, 0)
    assert process.call("step", "claim", "a", LEASE_S * 1000, "token")[0] == "claimed"
    return process


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_a_lease_that_ran_out_while_nobody_looked_may_still_be_renewed(process: StoreProcess) -> None:
    for late_s, rung in ((0, []), (UNSEEN_S, []), (PATIENCE_S, [["a", "t"]])):
        process.probe("set_clock", NOW_S + LEASE_S + late_s, 0)
        assert process.call("due")[0] == rung


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_a_lease_that_runs_out_while_others_look_is_over(process: StoreProcess) -> None:
    rung = []
    for late_s in range(-LEASE_S, 1, UNSEEN_S):
        process.probe("set_clock", NOW_S + LEASE_S + late_s, 0)
        rung = process.call("due")[0]
    assert rung == [["a", "t"]]


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_whoever_looks_seldom_does_not_renew_leases_again_and_again(process: StoreProcess) -> None:
    rung = []
    for late_s in (0, 10):
        process.probe("set_clock", NOW_S + LEASE_S + late_s, 0)
        rung = process.call("due")[0]
    assert rung == [["a", "t"]]


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_whoever_gives_time_shortens_no_lease(process: StoreProcess) -> None:
    process.probe("set_clock", NOW_S + LEASE_S, 0)
    process.call("step", "renew", LEASE_S * 1000, "a", "1", "")
    for late_s, rung in ((0, []), (UNSEEN_S, []), (2 * UNSEEN_S, []), (LEASE_S, [["a", "t"]])):
        process.probe("set_clock", NOW_S + LEASE_S + late_s, 0)
        assert process.call("due")[0] == rung


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_a_lease_ends_although_the_clock_was_set_back(process: StoreProcess) -> None:
    for late_s in (0, PATIENCE_S):
        process.probe("set_clock", NOW_S - 3600 + late_s, 0)
        rung = process.call("due")[0]
        assert bool(rung) == bool(late_s)


@pytest.mark.parametrize("store", REDIS, indirect=True)
def test_a_step_whose_answer_was_lost_gives_the_same_one_again(process: StoreProcess) -> None:
    again = process.call("step", "claim", "a", LEASE_S * 1000, "token")
    assert (again[0], dict(pairwise(again[1]))["attempts"]) == ("claimed", "1")
    assert process.call("step", "claim", "a", LEASE_S * 1000, "another")[0] == "running"
    for token, done in (("its end", 1), ("its end", 1), ("another", 0)):
        assert process.call("step", "finish", "a", "1", "failed", "", "", "", "", RETENTION_S * 1000, token) == done
