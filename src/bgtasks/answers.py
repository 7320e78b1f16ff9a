"""Answers from outside: `--answers FILE` and `--set key=value`, read but not yet checked."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from bgtasks.errors import AnswersError

__all__ = ["read_answers", "read_settings"]

_HINT = "Give a YAML mapping of questions to answers, such as the `.copier-answers.yml` of a project"


def read_answers(path: Path) -> dict[str, object]:
    """Read an answers file.

    Raises:
        AnswersError: The file is missing, unreadable, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AnswersError(f"Cannot read the answers file `{path}`", why=str(error.strerror), hint=_HINT) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AnswersError(f"The answers file `{path}` is not YAML", why=str(error), hint=_HINT) from error
    if not isinstance(content, dict):
        found = "empty" if content is None else f"a {type(content).__name__}"
        raise AnswersError(f"The answers file `{path}` is not a mapping", why=f"It is {found}", hint=_HINT)
    return {str(key): value for key, value in content.items()}


def read_settings(words: Iterable[str]) -> dict[str, object]:
    """Split the words of `--set key=value`; the last one counts when a key comes twice."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}
