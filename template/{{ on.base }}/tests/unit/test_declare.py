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


@pytest.mark.parametrize(
    "value", [object(), float("nan"), "\ud800"], ids=["object", "not a number", "half a character"]
)
def test_arguments_must_be_json(value: object) -> None:
    with pytest.raises(BadArguments, match=r"reports\.build"):
        build_report.pack(("2026-10", value))


def test_arguments_too_large_for_a_record_are_refused() -> None:
    with pytest.raises(BadArguments, match="100000 characters"):
        build_report.pack(("x" * 100_001, 1))
