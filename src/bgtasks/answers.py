"""Answers from outside: `--answers FILE` and `--set key=value`, read but not yet checked."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from bgtasks.errors import AnswersError

__all__ = ["parse_answers", "read_answers", "read_settings"]

_HINT = "Give a YAML mapping of questions to answers, such as the `.copier-answers.yml` of a project"
_MOST_BYTES = 1_000_000


def read_answers(path: Path) -> dict[str, object]:
    """Read an answers file.

    Raises:
        AnswersError: The file is missing or unreadable, or `parse_answers` refuses what is in it.
    """
    try:
        with path.open("rb") as file:
            # One byte more than is allowed shows that a file is too large without reading all of it.
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise AnswersError(f"Cannot read the answers file `{path}`", why=str(error.strerror), hint=_HINT) from error
    return parse_answers(content, path)


def parse_answers(content: bytes, path: Path) -> dict[str, object]:
    """Read the content of an answers file.

    Raises:
        AnswersError: It is above 1 MB, not YAML, or not a mapping; a key comes twice, or an alias stands for
            something else. Names `path`.
    """
    if len(content) > _MOST_BYTES:
        raise AnswersError(f"The answers file `{path}` is larger than 1 MB", hint=_HINT)
    try:
        text = content.decode()
        # Before anything is built: a few lines of aliases can stand for more objects than there is memory.
        aliases, repeated = _has_aliases(text), ""
        answers = None
        if not aliases:
            repeated, answers = _repeated(text), yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or the 31st of June
        raise AnswersError(f"The answers file `{path}` is not YAML", why=str(error), hint=_HINT) from error
    if aliases:
        raise AnswersError(f"The answers file `{path}` uses a YAML alias", hint="Write the answer itself")
    if not isinstance(answers, dict):
        found = "empty" if answers is None else f"a {type(answers).__name__}"
        raise AnswersError(f"The answers file `{path}` is not a mapping", why=f"It is {found}", hint=_HINT)
    if repeated:
        raise AnswersError(f"The answers file `{path}` answers `{repeated}` twice", hint="Keep one of the two lines")
    return {str(key): value for key, value in answers.items()}


def read_settings(words: Iterable[str]) -> dict[str, object]:
    """Split the words of `--set key=value`; the last one counts when a key comes twice."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def _has_aliases(text: str) -> bool:
    """Whether something stands for something else: aliases of aliases can make a short file fill any memory."""
    return any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))


def _repeated(text: str) -> str:
    """A key that comes more than once, where YAML would let the last one count; empty when there is none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = Counter(str(key.value) for key, _ in root.value) if isinstance(root, yaml.MappingNode) else Counter()
    return next((key for key, count in keys.items() if count > 1), "")
