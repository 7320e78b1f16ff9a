import pytest

from app.jobs import task
from app.jobs.declare import declared_tasks, find_task
from app.jobs.errors import BadArguments, UnknownTask
from app.tasks.reports import build_report


def test_every_module_of_the_tasks_package_is_found() -> None:
    names = {declared.name for declared in declared_tasks()}
    assert {"reports.build", "thumbnails.make", "webhooks.deliver"} <= names


def test_two_tasks_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"reports\.build"):
        task(name="reports.build")(len)


def test_a_task_that_is_gone_is_named() -> None:
    with pytest.raises(UnknownTask, match="gone"):
        find_task("gone")


@pytest.mark.parametrize("args", [(), ("2026-10",), ("2026-10", 1, 2)], ids=["none", "too few", "too many"])
def test_arguments_must_fit_the_function(args: tuple[object, ...]) -> None:
    with pytest.raises(BadArguments, match=r"reports\.build"):
        build_report.pack(args)


def test_arguments_must_be_json() -> None:
    with pytest.raises(BadArguments, match="JSON"):
        build_report.pack(("2026-10", object()))
