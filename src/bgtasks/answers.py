"""Answers from outside: `--answers FILE` and `--set key=value`, read but not yet checked."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from bgtasks.errors import AnswersError

__all__ = ["read_answers", "read_settings"]

_HINT = "Give a YAML mapping of questions to answers, such as the `.copier-answers.yml` of a project"
_MOST_BYTES = 1_000_000


def read_answers(path: Path) -> dict[str, object]:
    """Read an answers file.

    Raises:
        AnswersError: The file is missing, unreadable, above 1 MB, not YAML, or not a mapping; or a key comes twice.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MOST_BYTES + 1)
        if len(start) > _MOST_BYTES:
            raise AnswersError(f"The answers file `{path}` is larger than 1 MB", hint=_HINT)
        text = start.decode()
        repeated = _repeated(text)
        content = yaml.safe_load(text)
    except OSError as error:
        raise AnswersError(f"Cannot read the answers file `{path}`", why=str(error.strerror), hint=_HINT) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AnswersError(f"The answers file `{path}` is not YAML", why=str(error), hint=_HINT) from error
    if not isinstance(content, dict):
        found = "empty" if content is None else f"a {type(content).__name__}"
        raise AnswersError(f"The answers file `{path}` is not a mapping", why=f"It is {found}", hint=_HINT)
    if repeated:
        raise AnswersError(f"The answers file `{path}` answers `{repeated}` twice", hint="Keep one of the two lines")
    return {str(key): value for key, value in content.items()}


def read_settings(words: Iterable[str]) -> dict[str, object]:
    """Split the words of `--set key=value`; the last one counts when a key comes twice."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def _repeated(text: str) -> str:
    """A key that comes more than once, where YAML would let the last one count; empty when there is none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = Counter(str(key.value) for key, _ in root.value) if isinstance(root, yaml.MappingNode) else Counter()
    return next((key for key, count in keys.items() if count > 1), "")
