"""An answers file that was edited by hand, which says what the project is to be and not what it is."""

import shlex

from bgtasks.answers import parse_answers
from bgtasks.errors import AnswersError, UpdateError
from bgtasks.project import ANSWERS_FILE
from bgtasks.questions import Answer, check, complete
from bgtasks.update.renders import render_tree
from bgtasks.update.repository import Repository
from bgtasks.update.target import Target
from bgtasks.update.trees import look

__all__ = ["refuse_hand_edits"]


def refuse_hand_edits(target: Target, repository: Repository) -> None:
    """Refuse when the project's files are still those of the answers in the last commit.

    An update that has not been committed yet changes the file too, but its other files along with it.

    Raises:
        UpdateError: Names the answers, and the command that would change them.
    """
    earlier = _committed(target, repository)
    edited = {key: answer for key, answer in target.before.items() if earlier and earlier.get(key) != answer}
    if not edited or not _files_are_those_of(earlier, target):
        return
    words = " ".join(f"--set {shlex.quote(f'{key}={answer}')}" for key, answer in edited.items())
    raise UpdateError(
        f"`{ANSWERS_FILE}` was edited by hand, and the project's files are still those of the former answers",
        why="\n".join(f"{key}: {answer}, was {earlier.get(key)}" for key, answer in edited.items()),
        hint=f"Take the edit back with `git checkout {ANSWERS_FILE}`, and let `bgtasks update {words}` make it",
    )


def _committed(target: Target, repository: Repository) -> dict[str, Answer]:
    """The answers of the last commit; none when they are of another version, or cannot be used."""
    content = repository.committed([ANSWERS_FILE]).get(ANSWERS_FILE)
    if content is None:
        return {}
    keys = {question.key for question in target.old.questions}
    try:
        raw = parse_answers(content, target.project.root / ANSWERS_FILE)
        if str(raw.get("_commit")).removeprefix("v") != target.old.version:
            return {}
        answers = check({key: answer for key, answer in raw.items() if key in keys}, target.old.questions)
        return complete(answers, target.old.questions, target.old.matrix)
    except AnswersError:
        return {}


def _files_are_those_of(earlier: dict[str, Answer], target: Target) -> bool:
    """Whether files that the answers decide on are as `earlier` made them, and none as the present answers do."""
    # Comparing the files tells an edit by hand from an update whose result waits for its commit.
    was, now = (render_tree(target.old, answers) for answers in (earlier, target.before))
    differing = [path for path in {*was, *now} - {ANSWERS_FILE} if was.get(path) != now.get(path)]
    mine = {path: look(target.project.root, path) for path in differing}
    return any(mine[path] == was.get(path) for path in mine) and all(mine[path] != now.get(path) for path in mine)
