"""Settings that follow from the answers, by the numbers that the design gives."""

from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bgtasks.derive import Derived, derive
from bgtasks.matrix import Answer, load_matrix
from bgtasks.questions import load_questions

ROOT = Path(__file__).parents[1]
MATRIX = load_matrix(ROOT / "matrix.yml")
DEFAULTS = {question.key: question.default for question in load_questions(ROOT) if question.default is not None}


def derived(backend: str, **answers: Answer) -> Derived:
    infrastructure = "none" if backend in ("huey", "backgroundtasks") else "redis"
    return derive({**DEFAULTS, "infrastructure": infrastructure, "backend": backend, **answers}, MATRIX, ROOT)


@pytest.mark.parametrize(
    "duration, soft_s, hard_s, drain_s",
    [
        ("1ms", 1, 2, 1),
        ("800ms", 2, 3, 2),
        ("4s", 6, 8, 6),
        ("10s", 15, 18, 15),
        ("40s", 60, 72, 60),
        ("90s", 135, 162, 60),
        ("2h", 10_800, 12_960, 60),
    ],
)
def test_time_limits_follow_the_slowest_task(duration: str, soft_s: int, hard_s: int, drain_s: int) -> None:
    settings = derived("huey", slowest_task=duration)

    assert (settings.soft_limit_s, settings.hard_limit_s) == (soft_s, hard_s)
    assert (settings.drain_s, settings.stop_grace_s) == (drain_s, drain_s + 5)


@pytest.mark.parametrize(
    "backend, work, memory, concurrency, processes, threads",
    [
        ("celery", "cpu", "light", 4, 4, 1),
        ("celery", "io", "light", 12, 12, 1),
        ("celery", "mixed", "light", 6, 6, 1),
        ("celery", "io", "model", 1, 1, 1),
        ("dramatiq", "cpu", "light", 4, 4, 1),
        ("dramatiq", "io", "light", 12, 1, 12),
        ("dramatiq", "mixed", "light", 6, 4, 2),
        ("dramatiq", "mixed", "model", 1, 1, 1),
        ("arq", "io", "light", 12, 1, 12),
        ("arq", "cpu", "model", 1, 1, 1),
        ("backgroundtasks", "mixed", "light", 6, 1, 6),
    ],
)
def test_concurrency_follows_the_work_and_spreads_as_the_backend_can(
    backend: str, work: str, memory: str, concurrency: int, processes: int, threads: int
) -> None:
    settings = derived(backend, work=work, memory=memory, cores=4)

    assert (settings.concurrency, settings.processes, settings.threads) == (concurrency, processes, threads)


@pytest.mark.parametrize(
    "memory, memory_mb, recycle_after_jobs",
    [("light", 200, 0), ("image", 200, 50), ("video", 1024, 10), ("model", 2048, 0)],
)
def test_memory_sets_the_size_and_the_recycling_of_a_process(
    memory: str, memory_mb: int, recycle_after_jobs: int
) -> None:
    settings = derived("celery", memory=memory, work="cpu", cores=2)

    assert (settings.memory_mb, settings.recycle_after_jobs) == (memory_mb, recycle_after_jobs)
    assert settings.worker_limit_mb == settings.processes * (memory_mb + 50) + 128
    assert settings.worker_reservation_mb == (settings.processes * memory_mb + 128) // 2


def test_one_process_with_threads_may_be_replaced_while_its_jobs_end() -> None:
    threads, several = derived("dramatiq", work="io", cores=2), derived("dramatiq", work="mixed", cores=2)

    assert threads.worker_limit_mb == 2 * (200 + 6 * 50) + 128
    assert (several.processes, several.worker_limit_mb) == (2, 3 * (200 + 2 * 50) + 128)


def test_an_event_loop_counts_its_process_pool_for_cpu_work() -> None:
    assert derived("arq", work="io", cores=4).worker_limit_mb == 2 * (200 + 12 * 50) + 128
    assert derived("arq", work="cpu", cores=4).worker_limit_mb == 2 * (5 * 200 + 4 * 50) + 128
    assert derived("arq", work="cpu", cores=4, memory="model").worker_limit_mb == 2 * 2048 + 50 + 128


def test_the_api_has_room_for_the_work_where_it_does_the_work() -> None:
    alone, served = derived("backgroundtasks", work="cpu", cores=2), derived("huey", work="cpu", cores=2)

    assert (alone.api_limit_mb, alone.worker_replicas) == (3 * 200 + 128 + 256, 1)
    assert (served.api_limit_mb, served.api_reservation_mb) == (256, 128)


@pytest.mark.parametrize(
    "jobs_per_day, expected",
    [
        ("1k", (1, 2, 1024, 768, 10_000)),
        ("10k", (2, 4, 4096, 3072, 50_000)),
        ("100k", (4, 8, 8192, 6144, 200_000)),
        ("1M", (4, 8, 8192, 6144, 500_000)),
    ],
)
def test_the_number_of_jobs_sizes_replicas_and_redis(jobs_per_day: str, expected: tuple[int, ...]) -> None:
    sized = derived("celery", jobs_per_day=jobs_per_day)

    replicas = (sized.web_replicas, sized.worker_replicas)
    assert (*replicas, sized.redis_limit_mb, sized.redis_maxmemory_mb, sized.max_waiting_jobs) == expected


def test_a_file_as_broker_has_one_worker() -> None:
    assert derived("huey", jobs_per_day="100k").worker_replicas == 1
    assert derived("huey", jobs_per_day="100k", infrastructure="redis").worker_replicas == 8


def test_every_worker_has_room_for_its_concurrency_and_ends_jobs_in_order() -> None:
    levels = product(MATRIX.backends, MATRIX.levels["work"], MATRIX.levels["memory"], (1, 2, 3, 64), ("1ms", "7s"))
    for backend, work, memory, cores, slowest in levels:
        settings = derived(backend, work=work, memory=memory, cores=cores, slowest_task=slowest)
        assert settings.processes * settings.threads >= settings.concurrency >= 1
        assert settings.slowest_s < settings.soft_limit_s < settings.hard_limit_s
        assert settings.drain_s < settings.stop_grace_s <= 65


def test_settings_are_whole_numbers_but_for_the_slowest_task() -> None:
    settings: Any = derived("huey")

    kinds = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    assert kinds.pop("slowest_s") is float
    assert set(kinds.values()) == {int}
