"""Which questions still have to be asked: those whose answer can still change something."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from bgtasks.derive import derive
from bgtasks.matrix import Matrix
from bgtasks.questions import Answer, Question
from bgtasks.recommend import rank

__all__ = ["open_questions"]

ALWAYS = ("slowest_task", "task_loss", "work", "tracking")
_COMPUTED = ("project_name", "backend")  # have defaults of their own: the directory's name, the recommendation
_SHAPING = ("code_style", "workflows")  # choose files of the project whatever the backend is

Answers = Mapping[str, Answer]


def open_questions(
    known: Answers, questions: Sequence[Question], matrix: Matrix, template: Path
) -> tuple[Question, ...]:
    """Give the questions that still need an answer, in their order.

    The first four always do. Another one does only while some answer to it, together with some answers
    to the rest, leads to another recommendation or to other derived settings.

    Args:
        known: Checked answers so far.
        questions: All questions.
        matrix: The rules.
        template: Where derive.jinja lies.
    """
    unknown = [question for question in questions if question.key not in known and question.key not in _COMPUTED]
    if any(question.key in ALWAYS for question in unknown):
        return tuple(unknown)
    base = {q.key: q.default for q in questions if q.default is not None} | dict(known)
    choices = _recommendations(base, unknown, matrix)
    reachable = {known["backend"]} if "backend" in known else set(choices.values()) - {None}
    return tuple(
        question
        for index, question in enumerate(unknown)
        if question.key in _SHAPING
        or _decides(index, choices)
        or any(_resizes(question, {**base, "backend": str(backend)}, matrix, template) for backend in reachable)
    )


def _levels(question: Question) -> tuple[Answer, ...]:
    return question.values or (1, 2)  # only `cores` has no choices: one step shows whether it matters


def _recommendations(
    base: Answers, unknown: Sequence[Question], matrix: Matrix
) -> dict[tuple[Answer, ...], str | None]:
    """Map every combination of answers to the unknown questions to the backend that it leads to."""
    found: dict[tuple[Answer, ...], str | None] = {}
    for levels in product(*map(_levels, unknown)):
        answers = {**base, **dict(zip((question.key for question in unknown), levels, strict=True))}
        best = rank(answers, matrix)[0]
        found[levels] = best.backend if best.admissible else None
    return found


def _decides(index: int, choices: Mapping[tuple[Answer, ...], str | None]) -> bool:
    """Tell whether two combinations that differ in this one question lead to different backends."""
    seen: dict[tuple[Answer, ...], str | None] = {}
    return any(
        seen.setdefault(levels[:index] + levels[index + 1 :], backend) != backend for levels, backend in choices.items()
    )


def _resizes(question: Question, base: Answers, matrix: Matrix, template: Path) -> bool:
    """Tell whether the answer changes the broker or the derived settings of this backend."""
    return len(set(_settings(question, base, matrix, template))) > 1


def _settings(question: Question, base: Answers, matrix: Matrix, template: Path) -> Iterator[object]:
    brokers = matrix.backends[str(base["backend"])].brokers
    for level in _levels(question):
        answers = {**base, question.key: level}
        broker = brokers.get(str(answers["infrastructure"]))
        if broker:
            yield broker, derive(answers, matrix, template)
