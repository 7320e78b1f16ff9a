"""The texts that commands print: the decision, the matrix, the next steps."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bgtasks.matrix import Answer, Matrix, Rule
from bgtasks.recommend import Recommendation

__all__ = ["decision", "matrix_as_json", "matrix_lines", "next_steps", "recommended"]

_SERVERS = ("redis", "rabbitmq")  # brokers and stores that are servers, as compose.yaml calls them
_PIP = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"


def decision(recommendation: Recommendation, matrix: Matrix) -> Iterator[str]:
    """Give the recommendation with its reasons, what speaks against the others, and what would change it."""
    title = {key: backend.title for key, backend in matrix.backends.items()}
    yield from recommended(recommendation, matrix)
    yield ""
    yield "Against the others:"
    for verdict in recommendation.verdicts[1:]:
        mark = "" if verdict.admissible else " (not possible)"
        yield f"  {title[verdict.backend]}{mark}: {' '.join(verdict.reasons_against)}"
    if recommendation.flips:
        yield ""
        yield "One other answer would change the choice:"
        yield from (f"  {flip.question}={flip.answer}: {title[flip.backend]}" for flip in recommendation.flips)


def recommended(recommendation: Recommendation, matrix: Matrix) -> Iterator[str]:
    """Give the recommended backend with the reasons for it."""
    title = {key: backend.title for key, backend in matrix.backends.items()}
    yield f"Recommended: {title[recommendation.backend]} ({_strength(recommendation, title)})"
    yield from (f"  {reason}" for reason in recommendation.verdicts[0].reasons_for)
    yield from (f"  But: {reason}" for reason in recommendation.verdicts[0].reasons_against)


def next_steps(dest: Path, answers: Mapping[str, Answer], matrix: Matrix) -> Iterator[str]:
    """Give the commands that start the new project, in the order in which they are typed, as its README has them.

    Without uv on this machine they are the ones for plain pip, which installs the same versions.
    """
    broker = matrix.backends[str(answers["backend"])].brokers[str(answers["infrastructure"])]
    servers = [name for name in _SERVERS if name in (broker, matrix.raw["stores"][broker])]
    install, poe = ("uv sync", "uv run poe") if shutil.which("uv") else (_PIP, ".venv/bin/poe")
    yield "Next steps:"
    yield f"  cd {shlex.quote(str(dest))}"
    yield f"  {install}"
    if servers:
        yield f"  {poe} secrets && cp secrets/dev.env .env"
        yield f"  docker compose up -d --wait {' '.join(servers)}"
    yield f"  {poe} dev"


def matrix_lines(matrix: Matrix) -> Iterator[str]:
    """Give every backend with its rules: what it is, what forbids it, what speaks for and against it."""
    for key, backend in matrix.backends.items():
        yield f"{backend.title} ({key}): {backend.summary}"
        for rule in matrix.rules:
            if key in rule.backends:
                yield f"  {_effect(rule):>4}  {_condition(rule)}: {rule.reason}"
                yield f"        source: {rule.source}"
        yield ""
    yield "A veto removes a backend; points are added up. On a tie the backend listed first wins."


def matrix_as_json(matrix: Matrix) -> dict[str, object]:
    """Give the backends and the rules as one object."""
    return {name: matrix.raw[name] for name in ("levels", "backends", "rules")}


def _strength(recommendation: Recommendation, title: Mapping[str, str]) -> str:
    if recommendation.runner_up is None:
        return "clear: nothing else is possible"
    return f"{recommendation.strength}, runner-up {title[recommendation.runner_up]}"


def _effect(rule: Rule) -> str:
    return "veto" if rule.points is None else f"{rule.points:+d}"


def _condition(rule: Rule) -> str:
    return ", ".join(f"{question}={'|'.join(sorted(levels))}" for question, levels in rule.when) or "always"
