"""Answers: what is accepted, what is refused and with which words."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgtasks.derive import environment
from bgtasks.errors import AnswersError, ContradictionError
from bgtasks.matrix import load_matrix
from bgtasks.questions import check, complete, load_questions, parse_duration

ROOT = Path(__file__).parents[1]
QUESTIONS = load_questions(ROOT)
MATRIX = load_matrix(ROOT / "matrix.yml")
MACROS: Any = environment(ROOT).get_template("derive.jinja").module

# What is given, and what the error must say beside key and value.
REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "a key with a typo": ({"task_los": "never"}, "Did you mean task_loss?"),
    "a key with a hyphen": ({"task-loss": "never"}, "Did you mean task_loss?"),
    "a key like nothing": ({"xyzzy": 1}, "The questions are: project_name, slowest_task, task_loss"),
    "a key that YAML made true": ({True: "x"}, "There is no question `True`"),  # type: ignore[dict-item]  # YAML's `on`
    "a computed answer": ({"derived": {}}, "There is no question `derived`"),
    "a value with a typo": ({"task_loss": "nevr"}, "Did you mean never?"),
    "a value in capitals": ({"infrastructure": "Redis"}, "Did you mean redis?"),
    "a value like nothing": ({"work": "xyzzy"}, "Choose one of: io, cpu, mixed"),
    "a word that YAML made false": ({"tracking": False}, "Choose one of: none, status, progress"),
    "a number for a choice": ({"jobs_per_day": 1000}, "Choose one of: 1k, 10k, 100k, 1M"),
    "a list": ({"work": ["io"]}, "a list"),
    "nothing": ({"servers": None}, "one of one, several is needed"),
    "no backend": ({"backend": None}, "`backend` cannot be empty"),
    "a key of Copier's own": ({"_commit": "v1"}, "There is no question `_commit`"),
    "an unknown backend": ({"backend": "dramatic"}, "Did you mean dramatiq?"),
    "a number without unit": ({"slowest_task": "4"}, "Did you mean 4s?"),
    "a bare number": ({"slowest_task": 4}, "Did you mean 4s?"),
    "a duration in words": ({"slowest_task": "4 hours"}, "a number and its unit, such as 800ms, 4s"),
    "no time at all": ({"slowest_task": "0s"}, "above zero"),
    "more than a week": ({"slowest_task": "169h"}, "up to 168h"),
    "a negative duration": ({"slowest_task": "-4s"}, "above zero"),
    "no cores": ({"cores": 0}, "not between 1 and 64"),
    "too many cores": ({"cores": 65}, "not between 1 and 64"),
    "half a core": ({"cores": 0.5}, "a fraction, and a whole number"),
    "cores as truth": ({"cores": True}, "a whole number"),
    "cores in words": ({"cores": "two"}, "such as 2"),
    "a number as name": ({"project_name": 42}, "in quotes"),
}

BAD_NAMES = {
    "../x": "path",
    "/etc/orders": "path",
    "orders\\new": "path",
    "C:orders": "path",
    "~root": "path",
    "orders\n": "control character",
    "ord\x00ers": "control character",
    "ord\x1b[31mers": "control character",
    "": "no letter",
    ".": "no letter",
    "..": "no letter",
    "---": "no letter",
    "日本": "no letter",
    "con": "device",
    "NUL": "device",
    "aux.txt": "device",
    "COM1": "device",
    "lpt9.log": "device",
    "fastapi": "installs a package",
    "Celery": "installs a package",
    "pydantic_core": "installs a package",
    "x" * 64: "63 characters",
}

GOOD_NAMES = {
    "orders": "orders",
    "Orders API": "orders-api",
    "my_shop.v2": "my-shop-v2",
    "2captcha": "2captcha",
    "-x-": "x",
    "Café": "caf",
    "console": "console",
    "com": "com",
    "com10": "com10",
    "x" * 63: "x" * 63,
}


def message(error: AnswersError) -> str:
    return "\n".join((error.message, error.why, error.hint))


@pytest.mark.parametrize("raw, said", REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_answer_is_refused_with_key_value_and_a_way_out(raw: dict[str, object], said: str) -> None:
    with pytest.raises(AnswersError) as refused:
        check(raw, QUESTIONS)

    (key, value), text = next(iter(raw.items())), message(refused.value)
    assert said in text
    assert f"`{key}`" in text
    assert "no question" in text or (repr(value) if value is not None else "empty") in text


@pytest.mark.parametrize("name, problem", BAD_NAMES.items(), ids=[ascii(name) for name in BAD_NAMES])
def test_a_name_that_cannot_be_a_project_is_refused(name: str, problem: str) -> None:
    with pytest.raises(AnswersError) as refused:
        check({"project_name": name}, QUESTIONS)

    assert problem in refused.value.why
    assert message(refused.value).replace("\n", "").isprintable(), "a terminal must not obey the name"


@pytest.mark.parametrize("name, slug", GOOD_NAMES.items())
def test_a_name_becomes_a_distribution_image_and_key_prefix(name: str, slug: str) -> None:
    assert check({"project_name": name}, QUESTIONS) == {"project_name": name}
    assert MACROS.slug(name) == slug


@given(st.text(max_size=80))
def test_an_accepted_name_has_a_valid_slug(name: str) -> None:
    with contextlib.suppress(AnswersError):
        check({"project_name": name}, QUESTIONS)
        slug = str(MACROS.slug(name))
        assert slug.replace("-", "a").isalnum()
        assert slug.isascii()
        assert slug == slug.lower().strip("-")
        assert len(slug) <= 63


@pytest.mark.parametrize(
    "text, seconds",
    [("800ms", 0.8), ("4s", 4), ("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), ("168h", 604_800)],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert check({"slowest_task": text}, QUESTIONS) == {"slowest_task": text}


@pytest.mark.parametrize(
    "text", ["", "4", "s", "0s", "0.0h", "168.1h", "1.2.3s", ".5s", "5.s", "4 s", "4S", "4s\n", "²s", "-1s"]
)
def test_what_is_no_duration_is_none_in_jinja_either(text: str) -> None:
    with pytest.raises(AnswersError, match="is no duration"):
        parse_duration(text)

    assert MACROS.seconds(text) == ""


@given(st.from_regex(r"[0-9.]{0,4} ?(ms|s|m|h|d|S|)[\n²]?", fullmatch=True))
def test_python_and_jinja_read_the_same_durations(text: str) -> None:
    in_jinja, in_python = str(MACROS.seconds(text)), ""
    with contextlib.suppress(AnswersError):
        in_python = str(parse_duration(text))

    assert in_jinja == in_python


def test_answers_keep_the_order_of_the_questions() -> None:
    given_answers = {"work": "cpu", "slowest_task": "2h", "cores": "4"}

    assert list(check(given_answers, QUESTIONS).items()) == [("slowest_task", "2h"), ("work", "cpu"), ("cores", 4)]


def test_the_defaults_are_huey_on_a_file_and_lose_nothing() -> None:
    answers = complete({}, QUESTIONS, MATRIX)

    assert (answers["backend"], answers["infrastructure"], answers["task_loss"]) == ("huey", "none", "never")
    assert list(answers) == [question.key for question in QUESTIONS][1:]


def test_complete_answers_are_accepted_again() -> None:
    answers = complete({"project_name": "orders", "infrastructure": "redis"}, QUESTIONS, MATRIX)

    assert complete(check(answers, QUESTIONS), QUESTIONS, MATRIX) == answers


def test_the_recommendation_may_be_overruled_where_no_promise_breaks() -> None:
    assert complete({"infrastructure": "redis", "backend": "celery"}, QUESTIONS, MATRIX)["backend"] == "celery"


@pytest.mark.parametrize(
    "answers, said",
    [
        ({"backend": "backgroundtasks"}, "`backend=backgroundtasks` contradicts task_loss=never (the default)"),
        (
            {"backend": "backgroundtasks", "task_loss": "never", "tracking": "status"},
            "contradicts task_loss=never, tracking=status",
        ),
        ({"backend": "arq", "infrastructure": "rabbitmq"}, "contradicts infrastructure=rabbitmq"),
        ({"workflows": "chains"}, "infrastructure=none (the default), workflows=chains"),
    ],
)
def test_answers_that_clash_are_refused_by_name(answers: dict[str, str], said: str) -> None:
    with pytest.raises(ContradictionError) as refused:
        complete(check(answers, QUESTIONS), QUESTIONS, MATRIX)

    assert said in refused.value.message
    assert refused.value.why.endswith(".")
    assert refused.value.hint.startswith("Choose ")


def test_every_question_has_a_text_and_each_choice_a_label() -> None:
    for question in QUESTIONS:
        assert question.help.endswith(("?", ".", ")")), question.key
        assert all(len(choice.label) >= 2 for choice in question.choices)


def test_every_default_is_an_answer() -> None:
    defaults = {question.key: question.default for question in QUESTIONS if question.default is not None}

    assert check(defaults, QUESTIONS) == defaults


def test_the_backends_to_choose_from_are_those_of_the_matrix() -> None:
    question = next(question for question in QUESTIONS if question.key == "backend")

    assert question.values == tuple(MATRIX.backends)
    assert question.default is None
