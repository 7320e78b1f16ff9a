"""The decision matrix: which backend fits which answers, read from `matrix.yml`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from bgtasks.durations import parse_duration
from bgtasks.errors import AnswersError, MatrixError

__all__ = ["LADDER", "SAFE_LOADER", "Answer", "Backend", "Matrix", "Rule", "Rung", "load_matrix"]

Answer = str | int

LADDER = "slowest_task"
"""The one question that is answered by a duration; rules name rungs of its ladder."""

SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""What reads plain YAML: libyaml where it is there, which takes a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the duration ladder, up to and with `up_to_s`; the first preset stands for it."""

    level: str
    up_to_s: float
    presets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backend:
    """What the user chooses between, as `matrix.yml` describes it.

    `brokers` maps an infrastructure to a broker, `requires` a broker to direct requirements without versions.
    Rows that only template files read are in `Matrix.raw`.
    """

    key: str
    title: str
    summary: str
    pool: str
    layers: tuple[str, ...]
    brokers: Mapping[str, str]
    requires: Mapping[str, tuple[str, ...]]
    maintenance: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One cell: for these backends, if every question in `when` has one of the named levels.

    `points` is None for a veto; below zero the reason speaks against.
    """

    backends: tuple[str, ...]
    when: tuple[tuple[str, frozenset[str]], ...]
    reason: str
    source: str
    points: int | None

    @property
    def questions(self) -> frozenset[str]:
        """The questions that the rule looks at."""
        return frozenset(question for question, _ in self.when)

    def holds(self, levels: Mapping[str, str]) -> bool:
        """Whether the rule applies to these levels, one for every question of the matrix."""
        for question, named in self.when:  # noqa: SIM110 - the hot loop: a generator would double its time
            if levels[question] not in named:
                return False
        return True


@dataclass(frozen=True)
class Matrix:
    """Vetoes and preferences with their reasons; `raw` is the file as Jinja sees it.

    `levels` holds every answer that a rule may name, by question; the ladder's levels are its rungs.
    """

    backends: Mapping[str, Backend]
    rules: tuple[Rule, ...]
    levels: Mapping[str, tuple[str, ...]]
    ladder: tuple[Rung, ...]
    clear_margin: int
    raw: Mapping[str, Any]

    @cached_property
    def rules_on(self) -> Mapping[str, tuple[Rule, ...]]:
        """The rules that look at a question, by question."""
        return {key: tuple(r for r in self.rules if key in r.questions) for key in self.levels}

    def level(self, question: str, answer: Answer) -> str:
        """The level of an answer: itself, or for a duration its rung of the ladder.

        Raises:
            AnswersError: The matrix does not know the answer.
        """
        if question == LADDER:
            seconds = parse_duration(str(answer))
            return next(rung.level for rung in self.ladder if seconds <= rung.up_to_s)
        if answer not in self.levels[question]:
            raise AnswersError(
                f"`{question}` cannot be `{answer}`",
                hint=f"Choose one of: {', '.join(self.levels[question])}",
            )
        return str(answer)

    def levels_of(self, answers: Mapping[str, Answer]) -> dict[str, str]:
        """The level of every question of the matrix; other answers are left out.

        Raises:
            AnswersError: A question has no answer, or one that the matrix does not know.
        """
        missing = [question for question in self.levels if question not in answers]
        if missing:
            raise AnswersError(f"No answer to {', '.join(missing)}", hint=f"Answer with --set {missing[0]}=...")
        return {question: self.level(question, answers[question]) for question in self.levels}

    def alternatives(self, question: str) -> Iterator[tuple[str, str]]:
        """Every level of a question with an answer that has it."""
        if question == LADDER:
            yield from ((rung.level, rung.presets[0]) for rung in self.ladder)
        else:
            yield from ((level, level) for level in self.levels[question])

    def check_questions(self, choices: Mapping[str, Collection[str]]) -> None:
        """Compare the levels with the choices that the user has, by question; the ladder has none.

        Raises:
            MatrixError: A question or a choice that only one of the two files knows.
        """
        for question, levels in self.levels.items():
            offered = set(choices.get(question, ()))
            if question not in choices or (question != LADDER and offered != set(levels)):
                raise MatrixError(
                    f"matrix.yml and copier.yml differ on `{question}`",
                    why=f"levels: {', '.join(levels)}; choices: {', '.join(sorted(offered)) or 'no such question'}",
                    hint="Give both files the same questions and choices",
                )


def load_matrix(path: Path) -> Matrix:
    """The matrix in the file `path`, checked against itself.

    Raises:
        MatrixError: The file is no matrix, or a rule names what the matrix does not have.
    """
    try:
        raw = yaml.load(path.read_bytes(), Loader=SAFE_LOADER)  # noqa: S506 - a safe loader, in C where there is one
        matrix = _build(raw)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise MatrixError(
            f"{path.name} is no decision matrix", why=f"{type(error).__name__}: {error}", hint="Restore the file"
        ) from error
    for problem in (*_wrong_names(matrix), *_unexplained_gaps(matrix)):
        raise MatrixError(f"{path.name} contradicts itself", why=problem, hint="Correct the rule or the list it uses")
    return matrix


def _build(raw: Mapping[str, Any]) -> Matrix:
    ladder = tuple(Rung(row["level"], row.get("up_to_s", inf), tuple(row["presets"])) for row in raw["levels"][LADDER])
    levels = {question: tuple(rows) for question, rows in raw["levels"].items() if question != LADDER}
    return Matrix(
        backends=MappingProxyType({key: _backend(key, row) for key, row in raw["backends"].items()}),
        rules=tuple(_rule(row) for row in raw["rules"]),
        levels=MappingProxyType({LADDER: tuple(rung.level for rung in ladder), **levels}),
        ladder=ladder,
        clear_margin=int(raw["clear_margin"]),
        raw=raw,
    )


def _backend(key: str, row: Mapping[str, Any]) -> Backend:
    return Backend(
        key=key,
        title=row["title"],
        summary=row["summary"],
        pool=row["pool"],
        layers=tuple(row["layers"]),
        brokers=row["brokers"],
        requires={broker: tuple(names) for broker, names in row["requires"].items()},
        maintenance=row.get("maintenance", ""),
    )


def _rule(row: Mapping[str, Any]) -> Rule:
    if ("veto" in row) == ("points" in row):
        raise ValueError(f"a rule has either a veto or points: {row}")
    if row.get("points") == 0:
        raise ValueError(f"a rule without points says nothing: {row}")
    return Rule(
        backends=tuple(row["backends"]),
        when=tuple((question, frozenset(named)) for question, named in row["when"].items()),
        reason=row["veto"] if "veto" in row else row["reason"],
        source=row["source"],
        points=row.get("points"),
    )


def _wrong_names(matrix: Matrix) -> Iterator[str]:
    for rule in matrix.rules:
        yield from (f"No backend `{key}`: {rule.reason}" for key in rule.backends if key not in matrix.backends)
        for question, named in rule.when:
            wrong = named.difference(matrix.levels.get(question, ()))
            yield from (f"No level `{question}={level}`: {rule.reason}" for level in sorted(wrong))


def _unexplained_gaps(matrix: Matrix) -> Iterator[str]:
    """An infrastructure that a backend has no broker for must be vetoed, and one that it has must not be."""
    for key, backend in matrix.backends.items():
        vetoed = {
            level
            for rule in matrix.rules
            if rule.points is None and key in rule.backends and rule.questions == {"infrastructure"}
            for level in rule.when[0][1]
        }
        if vetoed != set(matrix.levels["infrastructure"]).difference(backend.brokers):
            yield f"`{key}` has brokers for {', '.join(backend.brokers)} and a veto against {', '.join(sorted(vetoed))}"
