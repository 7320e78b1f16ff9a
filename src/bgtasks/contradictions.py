"""Answers that are fine alone and impossible together, and how to say so."""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

from bgtasks.errors import ContradictionError
from bgtasks.matrix import Answer, Matrix, Rule

__all__ = ["check_contradictions", "contradiction", "nothing_left"]

Answers = Mapping[str, Answer]


def check_contradictions(answers: Answers, matrix: Matrix, defaults: Collection[str] = ()) -> None:
    """Refuse answers that leave no backend, or that veto the `backend` among them.

    Args:
        answers: An answer to every question of the matrix, and perhaps `backend`.
        matrix: Where the vetoes are.
        defaults: The questions that nobody has answered, which the message says.

    Raises:
        ContradictionError: Names the answers that clash, why, and what would help.
    """
    vetoes = _vetoes(answers, matrix)
    if _covers(vetoes, matrix):
        raise nothing_left(answers, matrix, defaults)
    causes = [rule for rule in vetoes if answers.get("backend") in rule.backends]
    if not causes:
        return
    keys = [key for key in matrix.levels if any(key in rule.questions for rule in causes)]
    possible = [key for key in matrix.backends if not any(key in rule.backends for rule in vetoes)]
    raise ContradictionError(
        f"`backend={answers['backend']}` contradicts {_named(keys, answers, defaults)}",
        why="\n".join(rule.reason for rule in causes),
        hint=f"Choose backend={' or '.join(possible)}, or change {', '.join(keys)}",
    )


def contradiction(answers: Answers, matrix: Matrix) -> tuple[str, ...]:
    """The fewest questions whose answers together veto every backend; none when a backend is left."""
    vetoes = _vetoes(answers, matrix)
    involved = [key for key in matrix.levels if any(key in rule.questions for rule in vetoes)]
    # Small sets first: the first that is found is the smallest, and there are few questions.
    for size in range(1, len(involved) + 1):
        for keys in combinations(involved, size):
            if _covers([rule for rule in vetoes if rule.questions.issubset(keys)], matrix):
                return keys
    return ()


def nothing_left(answers: Answers, matrix: Matrix, defaults: Collection[str] = ()) -> ContradictionError:
    """The error for answers that veto every backend: which ones clash, and which one change would help."""
    keys = contradiction(answers, matrix)
    causes = [rule for rule in _vetoes(answers, matrix) if rule.questions.issubset(keys)]
    ways = [
        f"{key}={answer}"
        for key in keys
        for _, answer in matrix.alternatives(key)
        if not contradiction({**answers, key: answer}, matrix)
    ]
    return ContradictionError(
        f"No backend can do all of {_named(keys, answers, defaults)}",
        why="\n".join(rule.reason for rule in causes),
        hint=f"Choose {' or '.join(ways)}" if ways else f"Change {' and '.join(keys)}",
    )


def _vetoes(answers: Answers, matrix: Matrix) -> list[Rule]:
    levels = matrix.levels_of(answers)
    return [rule for rule in matrix.rules if rule.points is None and rule.holds(levels)]


def _covers(vetoes: Iterable[Rule], matrix: Matrix) -> bool:
    return set(matrix.backends).issubset(key for rule in vetoes for key in rule.backends)


def _named(keys: Iterable[str], answers: Answers, defaults: Collection[str]) -> str:
    return ", ".join(f"{key}={answers[key]}" + (" (the default)" if key in defaults else "") for key in keys)
