"""Settings that follow from the answers.

The arithmetic stands in `derive.jinja`, because Copier must do it without bgtasks too; this module calls it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment

from bgtasks.matrix import Answer, Matrix

__all__ = ["Derived", "derive", "environment"]


@dataclass(frozen=True, slots=True)
class Derived:
    """What the files of a project are filled with; a worker is one container.

    `processes` x `threads` jobs run side by side in a worker, at least `concurrency`. `cpu_processes` is the size
    of the process pool beside an event loop, 0 where there is none. `recycle_after_jobs` 0 means never. For
    BackgroundTasks the API does the work, so its limit includes the worker's.
    """

    slowest_s: float
    soft_limit_s: int
    hard_limit_s: int
    stop_grace_s: int
    drain_s: int
    concurrency: int
    processes: int
    threads: int
    cpu_processes: int
    memory_mb: int
    recycle_after_jobs: int
    worker_limit_mb: int
    worker_reservation_mb: int
    api_limit_mb: int
    api_reservation_mb: int
    redis_limit_mb: int
    redis_maxmemory_mb: int
    rabbitmq_limit_mb: int
    rabbitmq_watermark_mb: int
    web_replicas: int
    worker_replicas: int
    max_waiting_jobs: int


def derive(answers: Mapping[str, Answer], matrix: Matrix, template: Path) -> Derived:
    """The settings for complete answers, `backend` included.

    Args:
        answers: As `questions.complete` returns them.
        matrix: Its `sizing` holds the numbers for each answer.
        template: The directory that holds derive.jinja.
    """
    # One source for both: arithmetic that stood in Python too would drift from what Copier does.
    macros = environment(template).get_template("derive.jinja").module
    text: str = macros.derive(matrix.raw, answers, answers["backend"])  # type: ignore[attr-defined]  # a macro
    return Derived(**json.loads(text))


@cache
def environment(template: Path) -> SandboxedEnvironment:
    """The Jinja environment that evaluates the macros beside copier.yml, as Copier does."""
    return SandboxedEnvironment(loader=FileSystemLoader(template))
