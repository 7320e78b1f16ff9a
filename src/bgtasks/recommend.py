"""From answers to ranked verdicts with reasons: pure functions over the matrix.

`recommend.jinja` picks the same backend for people who use Copier without bgtasks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bgtasks.contradictions import nothing_left
from bgtasks.matrix import Answer, Matrix, Rule

__all__ = ["Flip", "Recommendation", "Verdict", "overrule_cost", "rank", "recommend"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the matrix says of one backend; `reasons_against` holds the vetoes of one that is not admissible."""

    backend: str
    admissible: bool
    points: int
    reasons_for: tuple[str, ...]
    reasons_against: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons for it and then those against it; only the vetoes when it is not admissible."""
        return (*self.reasons_for, *self.reasons_against) if self.admissible else self.reasons_against


@dataclass(frozen=True, slots=True)
class Flip:
    """One other answer that alone would change the backend."""

    question: str
    answer: str
    backend: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The choice, how sure it is (`clear` or `close`), why, and what would change it.

    `runner_up` is None when nothing else is admissible. `verdicts` are sorted best first.
    """

    backend: str
    strength: str
    runner_up: str | None
    reasons: tuple[str, ...]
    flips: tuple[Flip, ...]
    verdicts: tuple[Verdict, ...]

    def as_json(self) -> dict[str, Any]:
        """The recommendation as `bgtasks recommend --json` prints it, without the derived settings."""
        return {
            "backend": self.backend,
            "strength": self.strength,
            "runner_up": self.runner_up,
            "reasons": list(self.reasons),
            "flips": [asdict(flip) for flip in self.flips],
            "verdicts": [
                {"backend": v.backend, "admissible": v.admissible, "reasons": list(v.reasons)} for v in self.verdicts
            ],
        }


def rank(answers: Mapping[str, Answer], matrix: Matrix) -> list[Verdict]:
    """Rank every backend for these answers, best first.

    Ties keep the order of the matrix, so the backend with less to operate wins. Every backend but the first
    has at least one reason against it.

    Args:
        answers: An answer to every question of the matrix; others are ignored.
        matrix: Vetoes and preferences with their reasons.

    Returns:
        One verdict per backend; a vetoed one carries the vetoes alone and sorts last.

    Raises:
        AnswersError: A question has no answer, or one that the matrix does not know.
    """
    levels = matrix.levels_of(answers)
    holding = [rule for rule in matrix.rules if rule.holds(levels)]
    verdicts = [_verdict(key, [rule for rule in holding if key in rule.backends]) for key in matrix.backends]
    # The sort is stable, which is what keeps the order of the matrix in a tie.
    verdicts.sort(key=lambda v: (not v.admissible, -v.points if v.admissible else 0))
    best = verdicts[0]
    return [best, *(_outranked(verdict, best, matrix) for verdict in verdicts[1:])]


def recommend(answers: Mapping[str, Answer], matrix: Matrix) -> Recommendation:
    """The backend that fits these answers best, and why.

    Raises:
        AnswersError: A question has no answer, or one that the matrix does not know.
        ContradictionError: Every backend is vetoed; names the smallest set of answers that causes it.
    """
    verdicts = rank(answers, matrix)
    best, second = verdicts[0], verdicts[1]
    if not best.admissible:
        raise nothing_left(answers, matrix)
    close = second.admissible and best.points - second.points < matrix.clear_margin
    return Recommendation(
        backend=best.backend,
        strength="close" if close else "clear",
        runner_up=second.backend if second.admissible else None,
        reasons=best.reasons,
        flips=tuple(_flips(best.backend, matrix.levels_of(answers), matrix)),
        verdicts=tuple(verdicts),
    )


def overrule_cost(answers: Mapping[str, Answer], matrix: Matrix) -> list[str]:
    """What it costs to use `answers["backend"]` instead of the recommendation; nothing where the two are the same."""
    verdicts = rank(answers, matrix)
    best = verdicts[0]
    chosen = next(verdict for verdict in verdicts if verdict.backend == answers["backend"])
    if chosen is best:
        return []
    return [*chosen.reasons_against, *(f"Given up: {reason}" for reason in best.reasons_for)]


def _verdict(backend: str, rules: list[Rule]) -> Verdict:
    vetoes = tuple(rule.reason for rule in rules if rule.points is None)
    liked = tuple(rule.reason for rule in rules if (rule.points or 0) > 0)
    disliked = tuple(rule.reason for rule in rules if (rule.points or 0) < 0)
    return Verdict(
        backend=backend,
        admissible=not vetoes,
        points=sum(rule.points or 0 for rule in rules),
        reasons_for=() if vetoes else liked,
        reasons_against=vetoes or disliked,
    )


def _outranked(verdict: Verdict, best: Verdict, matrix: Matrix) -> Verdict:
    """The verdict with a reason against it, also where the matrix has only good to say of it."""
    if verdict.reasons_against:
        return verdict
    title = matrix.backends[best.backend].title
    tie = verdict.points == best.points
    reason = (
        f"{title} fits as well and is less to operate." if tie else f"{title} is the better fit. {best.reasons_for[0]}"
    )
    return Verdict(verdict.backend, verdict.admissible, verdict.points, verdict.reasons_for, (reason,))


def _flips(backend: str, levels: Mapping[str, str], matrix: Matrix) -> Iterator[Flip]:
    """Every single answer that changes the backend, in the order of the questions.

    Only the rules on the changed question are looked at again, which keeps a recommendation below a millisecond.
    """
    totals = _totals(matrix.rules, levels, matrix)
    for question, current in levels.items():
        rules = matrix.rules_on[question]
        # All rules once, then only differences: there are dozens of other answers and far more rules.
        before = _totals(rules, levels, matrix)
        for level, answer in matrix.alternatives(question):
            if level == current:
                continue
            after = _totals(rules, {**levels, question: level}, matrix)
            best = _best({key: totals[key] - before[key] + after[key] for key in totals})
            if best not in (backend, None):
                yield Flip(question, answer, str(best))


_VETO = -1_000_000
"""Stands for a veto in a sum of points, far below what points can add up to."""


def _totals(rules: tuple[Rule, ...], levels: Mapping[str, str], matrix: Matrix) -> dict[str, int]:
    totals = dict.fromkeys(matrix.backends, 0)
    for rule in rules:
        if rule.holds(levels):
            for key in rule.backends:
                totals[key] += _VETO if rule.points is None else rule.points
    return totals


def _best(totals: Mapping[str, int]) -> str | None:
    best = max(totals, key=totals.__getitem__)  # the first of equals, as in the matrix
    return best if totals[best] > _VETO // 2 else None
