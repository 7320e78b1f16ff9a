"""Which questions are asked: those whose answer can still change something."""

from collections.abc import Mapping
from itertools import product

import pytest

from bgtasks.case import Case
from bgtasks.questions import Answer
from bgtasks.recommend import rank
from bgtasks.relevance import ALWAYS, open_questions

MAIL = {"slowest_task": "800ms", "task_loss": "acceptable", "work": "io", "tracking": "none"}
INVOICE = {"slowest_task": "90s", "task_loss": "never", "work": "cpu", "tracking": "status"}


def asked(case: Case, known: Mapping[str, Answer]) -> list[str]:
    return [question.key for question in open_questions(known, case.questions, case.matrix, case.template)]


def test_the_first_four_are_always_asked_in_their_order(case: Case) -> None:
    known: dict[str, Answer] = {}
    for key in ALWAYS:
        assert asked(case, known)[0] == key
        known[key] = INVOICE[key]
    assert not set(ALWAYS) & set(asked(case, known))


def test_name_and_backend_are_never_open(case: Case) -> None:
    assert not {"project_name", "backend"} & set(asked(case, {}))


def test_a_question_that_decides_between_backends_is_asked(case: Case) -> None:
    assert "infrastructure" in asked(case, INVOICE)


def test_servers_do_not_matter_once_only_one_backend_is_left(case: Case) -> None:
    known = {**INVOICE, "infrastructure": "redis"}
    assert "servers" in asked(case, known)
    assert "servers" not in asked(case, {**known, "workflows": "chains"})


def test_cores_do_not_matter_for_one_model_in_a_worker(case: Case) -> None:
    known = {**INVOICE, "infrastructure": "rabbitmq", "workflows": "chains"}
    assert "cores" in asked(case, {**known, "memory": "light"})
    assert "cores" not in asked(case, {**known, "memory": "model"})


def test_nothing_is_open_when_all_is_answered(case: Case) -> None:
    assert asked(case, case.settle({}, ask=False, defaults=True)) == []


@pytest.mark.parametrize("known", [MAIL, INVOICE], ids=["mail", "invoice"])
def test_an_unasked_question_cannot_change_the_recommendation(case: Case, known: dict[str, Answer]) -> None:
    known = {**known, "infrastructure": "rabbitmq", "workflows": "chains", "code_style": "sync", "cores": 2}
    questions = {question.key: question for question in case.questions}
    left = ["servers", "jobs_per_day", "memory"]
    unasked = set(left) - set(asked(case, known))
    best: dict[tuple[Answer, ...], str] = {}
    for levels in product(*(questions[key].values for key in left)):
        answers = known | dict(zip(left, levels, strict=True))
        verdict = rank(answers, case.matrix)[0]
        asked_part = tuple(answers[key] for key in left if key not in unasked)
        assert best.setdefault(asked_part, verdict.backend) == verdict.backend
    assert unasked
