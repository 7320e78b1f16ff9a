"""More workers: each takes what it can run, and nothing more."""

from collections import Counter
from dataclasses import replace

import pytest

from containers.stack import Stack

WORKERS = 3
FREE = 2


@pytest.mark.brokers("redis", "rabbitmq", "sqlite")
def test_no_worker_is_idle_while_another_holds_more_than_it_can_run(stack: Stack) -> None:
    stack.up("--no-recreate", f"--scale worker={WORKERS}")
    long = [stack.place("hold", 40) for _ in range(WORKERS * stack.places - FREE)]
    stack.until(lambda: len(stack.jobs("running")) == len(long), "all long jobs to run", 20)
    # Whoever took one of these without a place for it would keep it until a long one ends.
    stack.all_succeed([stack.place("hold", 0.2) for _ in range(8 * FREE)], seconds=20)
    assert stack.jobs("running") == {*long}
    shares = Counter(job["result"]["host"] for job in stack.all_succeed(long))
    assert len(shares) == WORKERS
    assert max(shares.values()) <= stack.places


@pytest.mark.brokers("sqlite")
def test_the_number_of_workers_in_the_settings_outlasts_a_deployment(stack: Stack) -> None:
    wide = replace(stack, settings=stack.settings | {"WORKERS": "2"})
    before = {*stack.containers("worker")}
    wide.up("--no-deps --no-recreate worker")
    grown = {*wide.containers("worker")}
    assert (before < grown, len(grown)) == (True, 2)
    wide.up("--no-deps --force-recreate worker")
    after = {*wide.containers("worker")}
    assert (grown & after, len(after)) == (set(), 2)
