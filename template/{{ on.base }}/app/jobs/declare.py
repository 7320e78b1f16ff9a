"""Declare a task: a plain function, with what its jobs need said once."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar

from app.jobs.errors import BadArguments, UnknownTask
from app.jobs.record import Job

P = ParamSpec("P")
R = TypeVar("R")

# A record is read as a whole, by workers and by the API: large things belong into a file.
_MAX_ARGS_CHARS = 100_000

_declared: dict[str, "Task[..., Any]"] = {}
_signature = cache(inspect.signature)  # it costs more than all else that `enqueue` does before it sends


@dataclass(frozen=True, slots=True)
class Task(Generic[P, R]):
    """A function that can run in the background; calling it runs it here and now."""

    function: Callable[P, R]
    name: str
    queue: str
    max_retries: int
    retry_on: tuple[type[Exception], ...]
    time_limit: timedelta | None
    cpu: bool
    every: timedelta | None
    on_dead_letter: Callable[[Job], None] | None
    is_async: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def pack(self, args: tuple[Any, ...]) -> str:
        """Return the arguments as JSON.

        Raises:
            BadArguments: They do not fit the function's signature, or JSON cannot carry them.
        """
        self.check(args)
        try:
            packed = pack(args)
        except ValueError as error:
            raise BadArguments(f"{self.name}: {error}") from error
        if len(packed) > _MAX_ARGS_CHARS:
            raise BadArguments(f"{self.name}: arguments above {_MAX_ARGS_CHARS} characters; store them and pass a name")
        return packed

    def check(self, args: tuple[Any, ...] | list[Any]) -> None:
        """Raise `BadArguments` when the function cannot be called with these arguments."""
        try:
            _signature(self.function).bind(*args)
        except TypeError as error:
            raise BadArguments(f"{self.name}: {error}") from error


def task(
    *,
    name: str,
    queue: str = "default",
    max_retries: int = 3,
    retry_on: tuple[type[Exception], ...] = (),
    time_limit: timedelta | None = None,
    cpu: bool = False,
    every: timedelta | None = None,
    on_dead_letter: Callable[[Job], None] | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Declare the decorated function as a task.

    Delivery is at least once: write the function so that running it again does no harm.

    Args:
        name: Under this name its jobs are stored; keep it when the function moves.
        queue: The lane its jobs wait in: `urgent` overtakes `default`.
        max_retries: Tries after the first, whether it failed or its worker died.
        retry_on: Exceptions worth another try, with growing pauses; any other ends the job.
        time_limit: Soft limit of one run; the hard limit is a fifth above it.
        cpu: The function computes rather than waits; where the worker is an event loop, it gets a process.
        every: Run by itself once a period, counted in UTC; a missed period is made up for once.
        on_dead_letter: Called once with the job when it is given up.
    """

    def declare(function: Callable[P, R]) -> Task[P, R]:
        if name in _declared:
            raise ValueError(f"Two tasks are called {name!r}; rename one")
        is_async = inspect.iscoroutinefunction(function)
        declared = Task(function, name, queue, max_retries, retry_on, time_limit, cpu, every, on_dead_letter, is_async)
        _declared[name] = declared
        return declared

    return declare


def pack(value: Any) -> str:
    """Return a value as JSON that every reader can carry.

    Raises:
        ValueError: It is not JSON, or holds NaN or half of a surrogate pair.
    """
    try:
        packed = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        packed.encode()
        return packed
    except (TypeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"{error}; pass what JSON can carry") from error


@cache
def load_tasks() -> None:
    """Import every module of `app.tasks`, so that each task is declared."""
    package = importlib.import_module("app.tasks")
    for module in pkgutil.walk_packages(package.__path__, prefix="app.tasks."):
        importlib.import_module(module.name)


def find_task(name: str) -> Task[..., Any]:
    """Return the task declared under `name`, or raise `UnknownTask`."""
    load_tasks()
    try:
        return _declared[name]
    except KeyError:
        raise UnknownTask(f"No task is called {name!r}; it was renamed or removed") from None


def declared_tasks() -> list[Task[..., Any]]:
    """Return every task of this service, by name."""
    load_tasks()
    return [_declared[name] for name in sorted(_declared)]


def lanes() -> list[str]:
    """Return the queues that tasks of this service use, the urgent one first."""
    return sorted({declared.queue for declared in declared_tasks()}, key=lambda lane: (lane != "urgent", lane))
