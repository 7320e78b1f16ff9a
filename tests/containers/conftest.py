"""What the container tests share: an engine, and one composition of each backend and broker."""

from collections.abc import Iterator

import pytest

from bgtasks.case import Case
from containers.engine import engine
from containers.figures import write_page
from containers.stack import Stack, add_probes, project_name, start_as_the_readme_says
from service.project import write_project
from service.variants import VARIANTS, Variant

EDGE = ["edge"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a test marked `brokers` to the variants that have one of them: elsewhere it has no meaning."""
    without = [item for item in items if not _has_its_broker(item)]
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)


def _has_its_broker(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("brokers")
    return marker is None or item.callspec.params["variant"].broker in marker.args  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def running_engine() -> Iterator[None]:
    """An engine that answers; without one there is nothing to test."""
    with engine():
        yield
        write_page()


@pytest.fixture(scope="session", params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    """One backend on one broker."""
    chosen: Variant = request.param
    return chosen


@pytest.fixture(scope="session")
def started(variant: Variant, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The composition of a variant, built and started from nothing as its README says."""
    answers = {"project_name": project_name(variant), "backend": variant.backend, **variant.answers}
    project = add_probes(write_project(case, tmp_path_factory.mktemp("containers") / "demo", **answers))
    stack = Stack(variant, project, settings={"WEBHOOK_HOSTS": '["partner"]', "TASK_EVENTS": "true"})
    try:
        start_as_the_readme_says(stack)
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def stack(started: Stack) -> Stack:
    """The composition with everything healthy, whatever the test before did to it."""
    started.up()
    return started


@pytest.fixture
def behind_nginx(stack: Stack) -> Iterator[Stack]:
    """The composition with nginx in front."""
    stack.up(profiles=EDGE)
    yield stack
    of_the_edge = {*stack.compose("config --services", profiles=EDGE).split()} - {*stack.services}
    stack.compose("rm --stop --force", *of_the_edge, profiles=EDGE)
