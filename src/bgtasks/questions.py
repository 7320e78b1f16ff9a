"""The questions as data, read from `copier.yml`, and what their answers must be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Template

from bgtasks.contradictions import check_contradictions
from bgtasks.derive import environment
from bgtasks.durations import parse_duration
from bgtasks.errors import AnswersError
from bgtasks.matrix import LADDER, SAFE_LOADER, Answer, Matrix, load_matrix
from bgtasks.recommend import recommend

__all__ = ["Answer", "Choice", "Question", "check", "complete", "load_questions", "parse_duration"]


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer that can be chosen, and how a prompt shows it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `kind` is `text`, `duration`, `choice` or `int`.

    The choices of a duration are presets: other durations are answers too. `default` is None where it depends on
    the destination (`project_name`) or on the other answers (`backend`).
    """

    key: str
    kind: str
    help: str
    choices: tuple[Choice, ...] = ()
    default: Answer | None = None
    validator: Template | None = field(default=None, repr=False, compare=False)
    matrix: Matrix | None = field(default=None, repr=False, compare=False)

    @property
    def values(self) -> tuple[str, ...]:
        """The values of the choices."""
        return tuple(choice.value for choice in self.choices)

    def parse(self, value: object) -> Answer:
        """The answer that a value from a file, a flag or a prompt stands for.

        Raises:
            AnswersError: A wrong type or value; names the key, the value and what is possible.
        """
        if self.kind == "int" and isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value)
        expected = int if self.kind == "int" else str
        # YAML reads `no` as a bool, and a bool is an int to Python.
        if not isinstance(value, expected) or isinstance(value, bool):
            needed = f"one of {', '.join(self.values)}" if self.kind == "choice" else _type_name(expected())
            raise self._refusal(value, f"It is {_type_name(value)}, and {needed} is needed.")
        if self.kind == "choice" and value not in self.values:
            raise self._refusal(value, f"The choices are: {', '.join(self.values)}")
        if problem := self.problem(value):
            raise self._refusal(value, problem)
        return value

    def problem(self, answer: Answer) -> str:
        """What the question's validator in copier.yml says against an answer; empty when it is fine."""
        if self.validator is None or self.matrix is None:
            return ""
        return self.validator.render({self.key: answer, "matrix": self.matrix.raw}).strip()

    def _refusal(self, value: object, why: str) -> AnswersError:
        shown = "empty" if value is None else repr(value)
        return AnswersError(f"`{self.key}` cannot be {shown}", why=why, hint=self._hint(value))

    def _hint(self, value: object) -> str:
        word = str(value)
        if self.kind == "duration":
            # `90` is most likely seconds, but a guess about a time limit is for a person to make.
            bare = word.isdecimal() and int(word)
            return (
                f"Did you mean {word}s?" if bare else f"Write a number and its unit, such as {', '.join(self.values)}"
            )
        if self.kind == "choice" and isinstance(value, str | bool):
            lower = {choice.lower(): choice for choice in self.values}
            if near := get_close_matches(word.lower(), lower, n=1):
                return f"Did you mean {lower[near[0]]}?"
        if self.kind == "text":
            return (
                "Choose another name" if isinstance(value, str) else "Write a name, in quotes if it looks like a number"
            )
        return (
            f"Choose one of: {', '.join(self.values)}"
            if self.values
            else f"Write a whole number, such as {self.default}"
        )


def load_questions(template: Path, matrix: Matrix | None = None) -> tuple[Question, ...]:
    """The questions that a user answers, in the order of copier.yml.

    Args:
        template: The directory that holds copier.yml and matrix.yml.
        matrix: What stands in that matrix.yml, if it has been read already.

    Raises:
        MatrixError: matrix.yml is broken, or names other questions or choices than copier.yml.
    """
    matrix = matrix or load_matrix(template / "matrix.yml")
    config = yaml.load((template / "copier.yml").read_bytes(), Loader=_CopierLoader)  # noqa: S506 - a safe loader
    questions = tuple(
        _question(key, details, matrix, template)
        for key, details in config.items()
        if not key.startswith("_") and details.get("when") is not False
    )
    matrix.check_questions({question.key: question.values for question in questions})
    return questions


def check(raw: Mapping[str, object], questions: Sequence[Question]) -> dict[str, Answer]:
    """The given answers with their types, in the order of the questions.

    Raises:
        AnswersError: An unknown key, a wrong value or a wrong type, with what was probably meant.
    """
    known = {question.key: question for question in questions}
    for key in raw:
        if key not in known:
            near = get_close_matches(str(key).lower().replace("-", "_"), known, n=1)
            raise AnswersError(
                f"There is no question `{key}`",
                why=f"The questions are: {', '.join(known)}",
                hint=f"Did you mean {near[0]}?" if near else "Remove it",
            )
    return {key: question.parse(raw[key]) for key, question in known.items() if key in raw}


def complete(answers: Mapping[str, Answer], questions: Sequence[Question], matrix: Matrix) -> dict[str, Answer]:
    """All answers: those given, the defaults for the rest, and the recommendation as `backend` if none is given.

    `project_name` is left out when it is not given, because its default is the name of the destination.

    Args:
        answers: Answers that `check` returned.
        questions: Every question, as `load_questions` returned them.
        matrix: The rules of the recommendation.

    Raises:
        ContradictionError: No backend can keep these answers, or the given one cannot.
    """
    full = {q.key: answers.get(q.key, q.default) for q in questions}
    filled = {key: answer for key, answer in full.items() if answer is not None}
    check_contradictions(filled, matrix, defaults=set(filled).difference(answers))
    # Only now: contradictions have a better message than the recommendation could give.
    filled.setdefault("backend", recommend(filled, matrix).backend)
    return {question.key: filled[question.key] for question in questions if question.key in filled}


class _CopierLoader(SAFE_LOADER):  # type: ignore[misc, valid-type]  # which of the two it is depends on the machine
    """Reads copier.yml; what it includes is loaded on its own."""


_CopierLoader.add_constructor("!include", lambda _loader, _node: None)


def _question(key: str, details: Mapping[str, Any], matrix: Matrix, template: Path) -> Question:
    env = environment(template)
    default = details["default"]
    templated = isinstance(default, str) and "{" in default
    asks = env.from_string(details["help"]).render(matrix=matrix.raw, _copier_answers={}, recommended="")
    return Question(
        key=key,
        kind=_kind(key, details),
        help=asks.strip(),
        choices=_choices(key, details, matrix),
        default=None if templated else default,
        validator=env.from_string(details["validator"]) if "validator" in details else None,
        matrix=matrix,
    )


def _kind(key: str, details: Mapping[str, Any]) -> str:
    if key == LADDER:
        return "duration"
    if "choices" in details:
        return "choice"
    return "int" if details["type"] == "int" else "text"


def _choices(key: str, details: Mapping[str, Any], matrix: Matrix) -> tuple[Choice, ...]:
    if key == LADDER:
        return tuple(Choice(preset, preset) for rung in matrix.ladder for preset in rung.presets)
    if key == "backend":  # copier.yml computes these from the matrix
        return tuple(Choice(b.key, f"{b.title}: {b.summary}") for b in matrix.backends.values())
    return tuple(Choice(value, label) for label, value in details.get("choices", {}).items())


def _type_name(value: object) -> str:
    names = {str: "a text", int: "a whole number", bool: "a yes or no", float: "a fraction", type(None): "empty"}
    return names.get(type(value), f"a {type(value).__name__}")
