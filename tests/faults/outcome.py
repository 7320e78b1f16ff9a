"""What came of a fault: what was seen, and which of it breaks the promise."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class Outcome:
    """What was seen, in the words of the table."""

    said: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def say(self, text: str, holds: bool = True) -> None:
        """Note what was seen, and whether it is what the generated service promises."""
        self.said.append(text)
        if not holds:
            self.broken.append(text)

    def __str__(self) -> str:
        return ", ".join(self.said)


@dataclass(frozen=True)
class Scale:
    """How hard to push, and the source of every random moment."""

    random: Random
    rolls: int = 8
    rolled_jobs: int = 1500
    full: bool = True


def quick(seed: int) -> Scale:
    """Return the scale of `make test`: every fault, fewer repeats."""
    return Scale(Random(seed), rolls=2, rolled_jobs=160, full=False)  # noqa: S311 - moments, not secrets


def full(seed: int) -> Scale:
    """Return the scale of `make faults`: the numbers that the promise names."""
    return Scale(Random(seed))  # noqa: S311 - moments, not secrets
