"""Durations as people write them."""

import re

from bgtasks.errors import AnswersError

__all__ = ["MAX_DURATION_S", "parse_duration"]

MAX_DURATION_S = 7 * 24 * 3600
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def parse_duration(text: str) -> float:
    """The seconds in `800ms`, `4s`, `90s`, `10m` or `2h`.

    `seconds` in derive.jinja does the same for people who use Copier without bgtasks.

    Raises:
        AnswersError: No such duration, zero, or more than a week.
    """
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _UNIT_MS[match[2]] / 1000 if match else 0.0
    if not 0 < seconds <= MAX_DURATION_S:
        raise AnswersError(
            f"`{text}` is no duration",
            why="A duration is a number and its unit (ms, s, m, h), above zero and up to 168h.",
            hint=f"Did you mean `{text}s`?" if _DURATION.fullmatch(f"{text}s") else "Write for example 800ms, 4s or 2h",
        )
    return seconds
