"""What people get who use Copier without the bgtasks CLI: the same answers, checks and reasons."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from bgtasks.derive import derive, environment
from bgtasks.matrix import Answer, load_matrix
from bgtasks.questions import complete, load_questions
from bgtasks.recommend import overrule_cost, recommend

ROOT = Path(__file__).parents[1]
QUESTIONS = load_questions(ROOT)
MATRIX = load_matrix(ROOT / "matrix.yml")
RECORD = "docs/decisions/{{ record }}-use-{{ backend }}.md.jinja"
ANSWERS_FILE = "{{ _copier_conf.answers_file }}.jinja"
PROBE = "{{ dict(on=on, broker=broker, store=store, best=recommended, derived=derived, slug=project_slug) | to_json }}"

COMBINATIONS: list[dict[str, Answer]] = [
    {},
    {"task_loss": "acceptable", "work": "mixed", "slowest_task": "8s"},
    {"infrastructure": "redis", "code_style": "sync", "workflows": "schedule"},
    {"infrastructure": "redis", "backend": "celery", "memory": "video", "work": "cpu", "cores": 8},
    {"infrastructure": "rabbitmq", "workflows": "chains", "jobs_per_day": "1M", "servers": "several"},
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The questions and rules as they are, with few files: decision record, answers file and a probe."""
    root = tmp_path_factory.mktemp("plain") / "template"
    base = root / "template" / "{{ on.base }}"
    (base / RECORD).parent.mkdir(parents=True)
    for path in [*ROOT.glob("*.jinja"), ROOT / "copier.yml", ROOT / "matrix.yml"]:
        shutil.copy(path, root)
    shutil.copy(ROOT / "template" / "{{ on.base }}" / RECORD, base / RECORD)
    shutil.copy(next((ROOT / "template").rglob(ANSWERS_FILE)), root / "template")
    (base / "probe.json.jinja").write_text(PROBE)
    return root


def copy(template: Path, dest: Path, answers: dict[str, Answer]) -> Any:
    copier.run_copy(str(template), dest, data=answers, defaults=True, quiet=True)
    return json.loads((dest / "probe.json").read_text())


@pytest.mark.parametrize("answers", COMBINATIONS, ids=str)
def test_copier_computes_what_the_cli_computes(template: Path, tmp_path: Path, answers: dict[str, Answer]) -> None:
    probe = copy(template, tmp_path / "Orders API", answers)

    final = complete(answers, QUESTIONS, MATRIX)
    backend = MATRIX.backends[str(final["backend"])]
    assert probe["best"] == recommend(final, MATRIX).backend
    assert probe["derived"] == asdict(derive(final, MATRIX, ROOT))
    assert probe["broker"] == backend.brokers[str(final["infrastructure"])]
    assert probe["store"] == MATRIX.raw["stores"][probe["broker"]]
    assert probe["slug"] == "orders-api"


def test_active_layers_lie_over_the_root_and_the_others_are_absent(template: Path, tmp_path: Path) -> None:
    probe = copy(template, tmp_path / "orders", {"infrastructure": "rabbitmq", "workflows": "schedule"})

    assert set(probe["on"].values()) == {"."}
    active = {"base", "dramatiq", "rabbitmq_broker", "redis_store", "dramatiq_rabbitmq", "async_style", "schedule"}
    assert set(probe["on"]) == active | set(MATRIX.backends["dramatiq"].layers)


@pytest.mark.parametrize("answers", COMBINATIONS, ids=str)
def test_the_decision_record_says_what_the_cli_says(template: Path, tmp_path: Path, answers: dict[str, Answer]) -> None:
    copy(template, tmp_path, answers)
    final = complete(answers, QUESTIONS, MATRIX)
    recommended = recommend(final, MATRIX)

    record = (tmp_path / f"docs/decisions/0001-use-{final['backend']}.md").read_text()

    said = [reason for verdict in recommended.verdicts for reason in verdict.reasons_against]
    said += [*recommended.verdicts[0].reasons_for, *overrule_cost(final, MATRIX)]
    said += [f"- `{flip.question}={flip.answer}`: {MATRIX.backends[flip.backend].title}" for flip in recommended.flips]
    assert [reason for reason in said if reason not in record] == []
    assert record.count("\n- `") == len(recommended.flips)
    assert (f"The choice is {recommended.strength}" in record) == (recommended.backend == final["backend"])
    assert "\n\n\n" not in record


@pytest.mark.parametrize(
    "answers, said",
    [
        ({"project_name": "../x"}, "it is a path"),
        ({"project_name": "con"}, "the name of a device"),
        ({"slowest_task": "4"}, "'4' is no duration"),
        ({"slowest_task": "169h"}, "up to 168h"),
        ({"task_loss": "nevr"}, "Invalid choice for 'task_loss'"),
        ({"cores": 65}, "65 is not between 1 and 64"),
        ({"backend": "backgroundtasks"}, "BackgroundTasks keeps no record"),
        ({"backend": "arq", "infrastructure": "rabbitmq"}, "ARQ works with Redis only"),
        ({"workflows": "chains"}, "The answers contradict each other"),
    ],
    ids=str,
)
def test_copier_refuses_what_the_cli_refuses(
    template: Path, tmp_path: Path, answers: dict[str, Answer], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        copy(template, tmp_path / "orders", answers)

    assert not (tmp_path / "orders").exists()


def test_a_sixth_backend_needs_only_its_rows(template: Path, tmp_path: Path) -> None:
    wider = shutil.copytree(template, tmp_path / "wider")
    raw = yaml.safe_load((wider / "matrix.yml").read_text())
    raw["backends"]["rq"] = {**raw["backends"]["arq"], "title": "RQ", "requires": {"redis": ["rq"]}}
    reason = "RQ works with Redis only."
    raw["rules"] += [
        {"backends": ["rq"], "when": {"infrastructure": ["none", "rabbitmq"]}, "veto": reason, "source": "RQ's manual"},
        {"backends": ["rq"], "when": {"work": ["cpu"]}, "points": 50, "reason": "RQ forks.", "source": "RQ's manual"},
    ]
    (wider / "matrix.yml").write_text(yaml.safe_dump(raw, sort_keys=False))

    answers: dict[str, Answer] = {"infrastructure": "redis", "work": "cpu"}
    assert copy(wider, tmp_path / "orders", answers)["best"] == "rq"
    assert complete(answers, load_questions(wider), load_matrix(wider / "matrix.yml"))["backend"] == "rq"


def test_the_prompt_marks_the_recommended_backend_and_says_why() -> None:
    macros: Any = environment(ROOT).get_template("reasons.jinja").module
    answers = complete({"infrastructure": "redis"}, QUESTIONS, MATRIX)

    assert macros.advice(MATRIX.raw, answers, "arq").startswith("Recommended is ARQ. ARQ awaits many I/O-bound")
    choices = yaml.safe_load(macros.choices(MATRIX.raw, answers, "arq"))
    assert [label.partition(":")[0] for label, _ in choices] == [
        *("BackgroundTasks", "Huey", "ARQ (recommended)", "Dramatiq", "Celery")
    ]
    assert [bool(choice["validator"]) for _, choice in choices] == [True, False, False, False, False]


def test_the_answers_file_holds_the_answers_and_nothing_computed(template: Path, tmp_path: Path) -> None:
    copy(template, tmp_path, {"project_name": "orders"})

    written = yaml.safe_load((tmp_path / ".copier-answers.yml").read_text())
    assert written.pop("_src_path") == str(template)
    assert written == complete({"project_name": "orders"}, QUESTIONS, MATRIX)


def test_the_answers_file_names_the_release_that_the_cli_carries(template: Path, tmp_path: Path) -> None:
    copy(template, tmp_path, {"bgtasks_src": "gh:bgtasks/bgtasks", "bgtasks_ref": "v0.1.0"})

    text = (tmp_path / ".copier-answers.yml").read_text()
    assert text.startswith("# The answers that this project was made from.")
    assert "\n_commit: v0.1.0\n_src_path: gh:bgtasks/bgtasks\nbackend: huey\n" in text
    assert "bgtasks_src" not in text
