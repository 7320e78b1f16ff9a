"""The job stores keep their promise, whatever is asked of them, in which order and by whom.

A machine calls a project's store from three processes; a model in plain Python says what has to come of it. The
examples are the same in every run; `STORE_EXAMPLES=5000` tries others, and more of them.
"""

import os
from collections.abc import Callable, Iterator
from itertools import count
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
from stores.promise import LEASE_S

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


@pytest.mark.parametrize("store", per_variant(one for one in QUEUES if str(one) == "huey-redis"), indirect=True)
def test_redis_moves_nothing_on_for_a_question_from_before_an_outage(store: Store) -> None:
    process, asked_s, outage_s = store.processes[API], 1_000_000, LEASE_S + 1
    process.probe("open", store.next_url(), SETTINGS)
    process.probe("set_clock", asked_s, 0)
    process.call("add", "a", "t", "default", "[]", "", 1, 0)
    process.call("claim", "a")
    process.probe("set_clock", asked_s + outage_s, 0)
    assert process.call("step", "due", asked_s * 1000, 500, 1000)[:2] == [[], []]
    assert process.call("due")[:2] == [[["a", "t"]], []]
