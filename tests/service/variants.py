"""The table of backends: adding a backend adds its rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Variant:
    """One backend on one broker, and the answers that lead there."""

    backend: str
    broker: str
    answers: dict[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.backend}-{self.broker}"


VARIANTS = [
    Variant("backgroundtasks", "memory", {"task_loss": "acceptable"}),
    Variant("huey", "sqlite"),
    Variant("huey", "redis", {"infrastructure": "redis", "code_style": "sync"}),
    Variant("arq", "redis", {"infrastructure": "redis"}),
    Variant("dramatiq", "redis", {"infrastructure": "redis", "code_style": "sync"}),
    Variant("dramatiq", "rabbitmq", {"infrastructure": "rabbitmq"}),
    Variant("celery", "redis", {"infrastructure": "redis", "code_style": "sync"}),
    Variant("celery", "rabbitmq", {"infrastructure": "rabbitmq"}),
]
QUEUES = [variant for variant in VARIANTS if variant.broker != "memory"]

# What the answers beyond the backend may be; names are test ids.
OPTIONS: dict[str, dict[str, str]] = {
    "plain": {},
    "async": {"code_style": "async"},
    "sync": {"code_style": "sync"},
    "schedule": {"workflows": "schedule"},
    "chains": {"workflows": "chains"},
    "thumbnails": {"work": "cpu", "memory": "image", "tracking": "status"},
    "transcoding": {"work": "cpu", "memory": "video", "tracking": "progress", "slowest_task": "2h"},
    "inference": {"work": "mixed", "memory": "model", "slowest_task": "90s", "jobs_per_day": "1M"},
    "two servers": {"servers": "several", "jobs_per_day": "100k"},
}
# BackgroundTasks keeps no record, no schedule and no long work; a SQLite file stays on one server;
# only Celery has chains.
REFUSED_OPTIONS = {
    "backgroundtasks-memory": ["schedule", "chains", "thumbnails", "transcoding", "inference"],
    "huey-sqlite": ["chains", "two servers"],
    "huey-redis": ["chains"],
    "arq-redis": ["chains"],
    "dramatiq-redis": ["chains"],
    "dramatiq-rabbitmq": ["chains"],
}
REFUSED = [(variant, name) for variant in VARIANTS for name in REFUSED_OPTIONS.get(str(variant), [])]
SUPPORTED = [(variant, name) for variant in VARIANTS for name in OPTIONS if (variant, name) not in REFUSED]


def per_variant(cases: Iterable[Any]) -> list[Any]:
    """Return pytest parameters, grouped so that one worker installs a variant once for all its tests."""
    return [
        pytest.param(one, id=_label(one), marks=pytest.mark.xdist_group(str(one[0] if isinstance(one, tuple) else one)))
        for one in cases
    ]


def _label(one: Any) -> str:
    return "-".join(str(part).replace(" ", "-") for part in one) if isinstance(one, tuple) else str(one)
