"""What the matrix must say of work that developers know, by the names that they would give it."""

from pathlib import Path

import pytest

from bgtasks.contradictions import contradiction
from bgtasks.errors import ContradictionError
from bgtasks.matrix import Answer, load_matrix
from bgtasks.questions import complete, load_questions
from bgtasks.recommend import recommend

ROOT = Path(__file__).parents[1]
QUESTIONS = load_questions(ROOT)
MATRIX = load_matrix(ROOT / "matrix.yml")

LOSSY = {"task_loss": "acceptable"}
REDIS = {"infrastructure": "redis"}
RABBITMQ = {"infrastructure": "rabbitmq"}
SYNC = {"code_style": "sync"}
CPU = {"work": "cpu"}

# Each on top of the defaults: 4s, never lost, io, untracked, no infrastructure, async, one server, 1k a day.
SCENARIOS: dict[str, tuple[str, dict[str, Answer]]] = {
    "the defaults": ("huey", {}),
    "welcome mail after signup": ("backgroundtasks", {**LOSSY}),
    "confirmation mail of a shop that has Redis": ("backgroundtasks", {**LOSSY, **REDIS}),
    "confirmation mail of a shop that has RabbitMQ": ("backgroundtasks", {**LOSSY, **RABBITMQ, **SYNC}),
    "audit entry for each login": ("backgroundtasks", {**LOSSY, "slowest_task": "800ms"}),
    "cache invalidation after a save": ("backgroundtasks", {**LOSSY, **REDIS, "slowest_task": "200ms"}),
    "analytics ping for each page view": (
        "backgroundtasks",
        {**LOSSY, **REDIS, "slowest_task": "500ms", "jobs_per_day": "1M", "servers": "several"},
    ),
    "chat notification from two web servers": ("backgroundtasks", {**LOSSY, "servers": "several"}),
    "checksum of an upload of 1 MB": ("backgroundtasks", {**LOSSY, **CPU, "slowest_task": "800ms"}),
    "partner call of 8 s that may fail": ("backgroundtasks", {**LOSSY, "slowest_task": "8s"}),
    "number crunching for 8 s": ("huey", {**LOSSY, **CPU, "slowest_task": "8s"}),
    "partner call of 30 s": ("huey", {**LOSSY, "slowest_task": "30s"}),
    "thumbnail of an avatar": ("huey", {**LOSSY, **CPU, "slowest_task": "800ms", "memory": "image"}),
    "thumbnail of an avatar, with Redis": ("dramatiq", {**LOSSY, **CPU, **REDIS, "memory": "image"}),
    "forward an image of 8 MB": ("huey", {**LOSSY, "memory": "image"}),
    "virus scan of an attachment of 60 MB": ("huey", {**LOSSY, "memory": "video"}),
    "upload whose state the browser polls": ("huey", {**LOSSY, "tracking": "status", "slowest_task": "800ms"}),
    "import of 1000 rows with a progress bar": ("huey", {**LOSSY, "tracking": "progress", "slowest_task": "90s"}),
    "payment capture": ("huey", {}),
    "payment capture, with Redis": ("arq", {**REDIS}),
    "order fulfilment over RabbitMQ": ("dramatiq", {**RABBITMQ}),
    "monthly invoices": ("huey", {**CPU, "slowest_task": "90s", "workflows": "schedule"}),
    "monthly invoices from sync code, with Redis": (
        "dramatiq",
        {**CPU, **REDIS, **SYNC, "slowest_task": "90s", "workflows": "schedule"},
    ),
    "nightly cleanup that may be skipped": ("huey", {**LOSSY, "workflows": "schedule"}),
    "hourly exchange rates, with Redis": ("arq", {**REDIS, "workflows": "schedule"}),
    "PDF report of 40 s": ("huey", {**LOSSY, **CPU, "slowest_task": "40s"}),
    "PDF report of 40 s, with Redis": ("dramatiq", {**LOSSY, **CPU, **REDIS, "slowest_task": "40s"}),
    "rebuild of the search index": ("huey", {"slowest_task": "10m", "tracking": "progress"}),
    "webhook deliveries with retries": ("arq", {**REDIS, "slowest_task": "10s", "jobs_per_day": "100k"}),
    "webhook deliveries from sync code": ("dramatiq", {**REDIS, **SYNC, "slowest_task": "10s"}),
    "newsletter to 1000 customers": ("arq", {**REDIS, "slowest_task": "10m", "tracking": "status"}),
    "newsletter from three servers": ("arq", {**REDIS, "servers": "several", "slowest_task": "10m"}),
    "crawl of a partner's catalogue": ("arq", {**REDIS, "slowest_task": "2h", "jobs_per_day": "10k"}),
    "transcode a 10 GB upload": (
        "dramatiq",
        {**CPU, **REDIS, **SYNC, "slowest_task": "2h", "memory": "video", "tracking": "progress"},
    ),
    "transcode a 10 GB upload in a coroutine": (
        "dramatiq",
        {**CPU, **REDIS, "slowest_task": "2h", "memory": "video", "tracking": "progress"},
    ),
    "classify images with a model of 2 GB": ("dramatiq", {**CPU, **REDIS, "memory": "model"}),
    "classify images without any server": ("huey", {**CPU, "memory": "model"}),
    "fetch and embed documents": ("dramatiq", {**REDIS, "work": "mixed", "slowest_task": "90s"}),
    "fan out to 500 shards and merge": ("celery", {**REDIS, "workflows": "chains"}),
    "nightly ETL in steps over RabbitMQ": ("celery", {**RABBITMQ, "workflows": "chains", "slowest_task": "2h"}),
    "a million order events a day": ("celery", {**REDIS, "jobs_per_day": "1M", "servers": "several"}),
    "a million renderings a day over RabbitMQ": (
        "celery",
        {**CPU, **RABBITMQ, **SYNC, "jobs_per_day": "1M", "servers": "several", "memory": "image"},
    ),
    "a million order events on one server": ("arq", {**REDIS, "jobs_per_day": "1M"}),
}

CONTRADICTIONS: dict[str, tuple[set[str], dict[str, Answer]]] = {
    "chains without a broker": ({"infrastructure", "workflows"}, {"workflows": "chains"}),
    "payments on two servers that share nothing": (
        {"task_loss", "infrastructure", "servers"},
        {"servers": "several"},
    ),
    "a progress bar on two servers that share nothing": (
        {"tracking", "infrastructure", "servers"},
        {**LOSSY, "servers": "several", "tracking": "progress"},
    ),
    "a video on two servers that share nothing": (
        {"slowest_task", "infrastructure", "servers"},
        {**LOSSY, "servers": "several", "slowest_task": "2h"},
    ),
    "a schedule on two servers that share nothing": (
        {"infrastructure", "servers", "workflows"},
        {**LOSSY, "servers": "several", "workflows": "schedule"},
    ),
}


@pytest.mark.parametrize("backend, answers", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_known_work_gets_the_backend_that_fits(backend: str, answers: dict[str, Answer]) -> None:
    assert complete(answers, QUESTIONS, MATRIX)["backend"] == backend


@pytest.mark.parametrize("keys, answers", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_impossible_work_names_the_fewest_answers_that_clash(keys: set[str], answers: dict[str, Answer]) -> None:
    with pytest.raises(ContradictionError) as refused:
        complete(answers, QUESTIONS, MATRIX)

    assert {key for key in MATRIX.levels if f"{key}=" in refused.value.message} == keys
    given = {question.key: question.default for question in QUESTIONS if question.default is not None} | answers
    assert set(contradiction(given, MATRIX)) == keys


@pytest.mark.parametrize("text", ["5 to 10 s", "mixed work"])
def test_background_tasks_carries_its_warnings(text: str) -> None:
    answers = {**LOSSY, "slowest_task": "8s", "work": "mixed"}

    verdicts = recommend(complete(answers, QUESTIONS, MATRIX), MATRIX).verdicts

    reasons = next(verdict.reasons for verdict in verdicts if verdict.backend == "backgroundtasks")
    assert any(reason.startswith("Warning") and text in reason for reason in reasons)


def test_arq_says_that_it_is_in_maintenance_mode() -> None:
    recommended = recommend(complete(REDIS, QUESTIONS, MATRIX), MATRIX)

    assert recommended.backend == "arq"
    assert any("maintenance mode since October 2025" in reason for reason in recommended.reasons)
