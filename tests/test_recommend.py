"""The recommendation over every combination of answers, and against its twin in Jinja."""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
import pytest

from bgtasks.contradictions import contradiction
from bgtasks.errors import AnswersError, ContradictionError
from bgtasks.matrix import LADDER, Answer, load_matrix
from bgtasks.questions import load_questions
from bgtasks.recommend import Verdict, overrule_cost, rank, recommend

ROOT = Path(__file__).parents[1]
MATRIX = load_matrix(ROOT / "matrix.yml")
DEFAULTS = {question.key: question.default for question in load_questions(ROOT) if question.default is not None}
MACROS: Any = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT)).get_template("recommend.jinja").module  # noqa: S701 - prints keys

# One duration for each rung; the edges of the rungs have a test of their own in test_matrix.py.
DURATIONS_S = {"800ms": 0.8, "5s": 5, "10s": 10, "2h": 7200}
BROKERS = {"none": {"memory", "sqlite"}, "redis": {"memory", "redis"}, "rabbitmq": {"memory", "rabbitmq"}}
SPEAKS = {
    "backgroundtasks": {"memory"},
    "huey": {"sqlite", "redis"},
    "arq": {"redis"},
    "dramatiq": {"redis", "rabbitmq"},
    "celery": {"redis", "rabbitmq"},
}


def combinations(infrastructure: str) -> Iterator[dict[str, Answer]]:
    levels = {**MATRIX.levels, LADDER: tuple(DURATIONS_S), "infrastructure": (infrastructure,)}
    return (dict(zip(levels, chosen, strict=True)) for chosen in product(*levels.values()))


def broken_requirements(answers: dict[str, Answer], backend: str) -> list[str]:
    """What a backend could not keep, said again without a look at matrix.yml."""
    in_process = backend == "backgroundtasks"
    broken = {
        "a restart loses it": in_process and answers["task_loss"] == "never",
        "too long for the API process": in_process and DURATIONS_S[str(answers["slowest_task"])] > 10,
        "nobody can ask for its state": in_process and answers["tracking"] != "none",
        "nothing starts it by the clock": in_process and answers["workflows"] == "schedule",
        "too large for the API process": in_process and answers["memory"] in ("video", "model"),
        "no chains": backend != "celery" and answers["workflows"] == "chains",
        "no broker that it speaks to": not SPEAKS[backend] & BROKERS[str(answers["infrastructure"])],
        "a file is not shared by servers": backend == "huey"
        and (answers["infrastructure"], answers["servers"]) == ("none", "several"),
    }
    return [requirement for requirement, is_broken in broken.items() if is_broken]


def wrong_verdicts(answers: dict[str, Answer], verdicts: list[Verdict]) -> list[str]:
    """What is wrong with the verdicts; says which backend and what."""
    best = verdicts[0]
    wrong = [v.backend for v in verdicts if v.admissible == bool(broken_requirements(answers, v.backend))]
    wrong += [f"{v.backend}: no reason against" for v in verdicts[1:] if not v.reasons_against]
    wrong += [f"{best.backend}: no reason for"] * (best.admissible and not best.reasons_for)
    macro = MACROS.recommend(MATRIX.raw, answers)
    wrong += [f"the macro says {macro!r}"] * (macro != (best.backend if best.admissible else ""))
    return wrong


@pytest.mark.parametrize("infrastructure", MATRIX.levels["infrastructure"])
def test_every_combination_keeps_its_requirements_and_equals_the_macro(infrastructure: str) -> None:
    walked = list(combinations(infrastructure))

    wrong = [(answers, found) for answers in walked if (found := wrong_verdicts(answers, rank(answers, MATRIX)))]

    assert not wrong, f"{len(wrong)} of {len(walked)}, first: {wrong[0]}"
    assert len(walked) == 4 * 2 * 3 * 3 * 2 * 2 * 3 * 4 * 4  # every choice of every question but this one


def test_the_number_of_jobs_never_decides_alone() -> None:
    """Below a million a day, or on one server, it only sizes things."""
    for answers in combinations("redis"):
        if answers["servers"] == "one" and answers["jobs_per_day"] == "1M":
            backends = {rank({**answers, "jobs_per_day": n}, MATRIX)[0].backend for n in MATRIX.levels["jobs_per_day"]}
            assert len(backends) == 1, answers


def test_ties_keep_the_backend_with_less_to_operate() -> None:
    order = list(MATRIX.backends)
    ties = 0
    for answers in combinations("redis"):
        for better, worse in zip(*(iter(rank(answers, MATRIX)[i:]) for i in (0, 1)), strict=False):
            if worse.admissible and better.points == worse.points:
                ties += 1
                assert order.index(better.backend) < order.index(worse.backend)
    assert ties


@pytest.mark.parametrize("change", [{}, {"infrastructure": "redis"}, {"task_loss": "acceptable", "work": "cpu"}])
def test_flips_are_exactly_the_single_answers_that_change_the_backend(change: dict[str, Answer]) -> None:
    answers = {**DEFAULTS, **change}
    recommended = recommend(answers, MATRIX)

    tried = {
        (question, answer, rank({**answers, question: answer}, MATRIX)[0])
        for question in MATRIX.levels
        for _, answer in MATRIX.alternatives(question)
    }

    expected = {(q, a, v.backend) for q, a, v in tried if v.admissible and v.backend != recommended.backend}
    assert {(flip.question, flip.answer, flip.backend) for flip in recommended.flips} == expected
    assert expected


def test_a_choice_without_rival_is_clear_and_has_no_runner_up() -> None:
    recommended = recommend(DEFAULTS, MATRIX)

    assert (recommended.backend, recommended.strength, recommended.runner_up) == ("huey", "clear", None)


def test_a_small_lead_is_close_and_names_the_runner_up() -> None:
    recommended = recommend({**DEFAULTS, "infrastructure": "redis"}, MATRIX)

    assert (recommended.backend, recommended.strength, recommended.runner_up) == ("arq", "close", "dramatiq")


def test_a_large_lead_is_clear() -> None:
    recommended = recommend({**DEFAULTS, "task_loss": "acceptable"}, MATRIX)

    assert (recommended.backend, recommended.strength, recommended.runner_up) == ("backgroundtasks", "clear", "huey")


def test_a_vetoed_backend_carries_only_its_vetoes_and_sorts_last() -> None:
    verdicts = rank({**DEFAULTS, "infrastructure": "rabbitmq"}, MATRIX)

    assert [verdict.backend for verdict in verdicts if verdict.admissible] == ["dramatiq", "celery"]
    assert verdicts[-1].reasons == ("ARQ works with Redis only.",)
    assert not any(verdict.reasons_for for verdict in verdicts if not verdict.admissible)


def test_overruling_costs_what_speaks_against_it_and_what_is_given_up() -> None:
    cost = overrule_cost({**DEFAULTS, "infrastructure": "redis", "backend": "celery"}, MATRIX)

    assert cost[0].startswith("Celery has the most to operate")
    assert cost[1].startswith("Given up: ARQ awaits many I/O-bound coroutines")


def test_following_the_recommendation_costs_nothing() -> None:
    assert overrule_cost({**DEFAULTS, "backend": "huey"}, MATRIX) == []


def test_answers_that_veto_everything_name_what_would_help() -> None:
    answers = {**DEFAULTS, "workflows": "chains"}

    with pytest.raises(ContradictionError, match=r"infrastructure=none, workflows=chains") as refused:
        recommend(answers, MATRIX)

    assert refused.value.hint.startswith("Choose infrastructure=redis or infrastructure=rabbitmq")


def test_the_clashing_answers_suffice_and_none_of_them_is_superfluous() -> None:
    walked = [(answers, rank(answers, MATRIX)[0].admissible) for key in BROKERS for answers in combinations(key)]
    clashes = {tuple((k, a[k]) for k in contradiction(a, MATRIX)) for a, possible in walked if not possible}

    def possible_with(fixed: dict[str, Answer]) -> bool:
        return any(possible for answers, possible in walked if fixed.items() <= answers.items())

    for clash in clashes:
        assert not possible_with(dict(clash)), clash
        assert all(possible_with({k: a for k, a in clash if k != left}) for left, _ in clash), clash
    assert len(clashes) > 5


def test_a_missing_answer_is_named() -> None:
    answers = {key: answer for key, answer in DEFAULTS.items() if key != "work"}

    with pytest.raises(AnswersError, match="No answer to work"):
        rank(answers, MATRIX)


def test_a_level_that_the_matrix_does_not_know_is_refused() -> None:
    with pytest.raises(AnswersError, match="`work` cannot be `gpu`"):
        rank({**DEFAULTS, "work": "gpu"}, MATRIX)


def test_json_holds_the_recommendation_in_plain_types() -> None:
    recommended = recommend(DEFAULTS, MATRIX).as_json()

    assert list(recommended) == ["backend", "strength", "runner_up", "reasons", "flips", "verdicts"]
    assert recommended["flips"][0] == {"question": "task_loss", "answer": "acceptable", "backend": "backgroundtasks"}
    assert [verdict["admissible"] for verdict in recommended["verdicts"]] == [True, False, False, False, False]


def test_a_recommendation_costs_a_bounded_number_of_calls() -> None:
    """An interactive run asks for hundreds: a search over all answers would be felt."""
    calls = Counter[str]()
    sys.setprofile(lambda _frame, event, _arg: calls.update([event]))
    try:
        recommend(DEFAULTS, MATRIX)
    finally:
        sys.setprofile(None)

    assert calls["call"] < 4000
