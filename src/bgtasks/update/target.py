"""Where a project goes: which version of the template, and which answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bgtasks import releases
from bgtasks.case import Case, opened
from bgtasks.errors import AnswersError, NoTerminalError, ProjectError, ReleaseError
from bgtasks.project import ANSWERS_FILE, Project
from bgtasks.questions import Answer, Question, check, complete
from bgtasks.recommend import Recommendation, rank, recommend

__all__ = ["Target", "Wishes", "aimed"]

Choose = Callable[[Recommendation, Case], str]
"""Asks a person for the backend."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for: a version, and answers from a file and from `--set`.

    `choose` asks a person for the backend and is None when nobody is there; then nothing else is asked either.
    """

    version: str = ""
    file: Path | None = None
    settings: Sequence[str] = ()
    choose: Choose | None = None


@dataclass(frozen=True)
class Target:
    """A project, the two versions of its template, and its answers before and after.

    `notes` say what became of answers that could not stay as they were.
    """

    project: Project
    old: Case
    new: Case
    before: Mapping[str, Answer]
    after: Mapping[str, Answer]
    notes: tuple[str, ...] = ()

    @cached_property
    def changed(self) -> dict[str, tuple[Answer | None, Answer | None]]:
        """Answers that differ, before and after; None where there was, or is, no such question."""
        keys = dict.fromkeys([*self.after, *self.before])
        pairs = {key: (self.before.get(key), self.after.get(key)) for key in keys}
        return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def is_reached(self) -> bool:
        """Whether the project is there already."""
        return self.old.version == self.new.version and not self.changed

    @property
    def switches(self) -> bool:
        """Whether the backend changes."""
        return self.before["backend"] != self.after["backend"]


@contextmanager
def aimed(project: Project, wishes: Wishes) -> Iterator[Target]:
    """Give the target for a project; its templates are gone when the block ends.

    Raises:
        ReleaseError: The project's version or the wanted one is unknown, or the wanted one is the older.
        ProjectError: The recorded answers are not those of the project's version.
        AnswersError: An answer is wrong, or does not go together with the others.
        NoTerminalError: The backend has to be chosen, and nobody is there to do it.
    """
    version = wishes.version.removeprefix("v") or releases.current()
    _check_versions(project, version)
    with ExitStack() as stack:
        old = stack.enter_context(opened(project.version))
        new = old if version == project.version else stack.enter_context(opened(version))
        # The file is somebody else's input: what it says is looked up among our versions, never passed on.
        before, unknown = _recorded(project, old)
        given = new.given(wishes.file, wishes.settings)
        kept, gone = _kept(before, new.questions, given, asking=wishes.choose is not None)
        # The present backend must not veto new answers before it is known whether it stays.
        known = {key: answer for key, answer in {**kept, **given}.items() if key != "backend" or key in given}
        settled = new.settle(known, ask=wishes.choose is not None, defaults=wishes.choose is None)
        after = {**settled, "backend": given.get("backend") or _backend(before, settled, (old, new), wishes.choose)}
        yield Target(project, old, new, before, after, (*unknown, *gone))


def _check_versions(project: Project, version: str) -> None:
    known = releases.known()
    if project.version not in known:
        newer = releases.order(project.version) > releases.order(known[-1])
        raise ReleaseError(
            f"`{project.root.name}` was made with bgtasks {project.version}, which this one does not know",
            why=f"This is bgtasks {releases.current()}; it knows {', '.join(known)}",
            hint="Install a newer bgtasks: `pip install --upgrade bgtasks`"
            if newer
            else f"Install a bgtasks that knows it, or write the release that comes closest into {ANSWERS_FILE}",
        )
    if version not in known or releases.order(version) < releases.order(project.version):
        wrong = f"comes before {project.version}, which the project has" if version in known else "is no release"
        later = [one for one in known if releases.order(one) >= releases.order(project.version)]
        raise ReleaseError(
            f"Cannot update `{project.root.name}` to {version}",
            why=f"{version} {wrong}",
            hint=f"Choose one of: {', '.join(later)}",
        )


def _recorded(project: Project, case: Case) -> tuple[dict[str, Answer], list[str]]:
    """The answers that the project was made from, and what of its file is none."""
    keys = {question.key for question in case.questions}
    notes = [
        f"{ANSWERS_FILE}: `{key}` is no question of bgtasks {case.version}; the line is dropped"
        for key in project.answers
        if key not in keys
    ]
    try:
        answers = check({key: answer for key, answer in project.answers.items() if key in keys}, case.questions)
        return complete({"project_name": project.root.name, **answers}, case.questions, case.matrix), notes
    except AnswersError as error:
        raise ProjectError(
            f"The answers in `{project.root.name}/{ANSWERS_FILE}` are not those of a project: {error.message}",
            why=error.why,
            hint="Take the last good file from your repository; change answers with `bgtasks update --set` only",
        ) from error


def _kept(
    before: Mapping[str, Answer], questions: Sequence[Question], given: Mapping[str, Answer], *, asking: bool
) -> tuple[dict[str, Answer], list[str]]:
    """The recorded answers that still are answers, and what to say of the others."""
    known = {question.key: question for question in questions}
    kept: dict[str, Answer] = {}
    notes = []
    for key, answer in before.items():
        if key not in known:
            notes.append(f"The question `{key}`, answered with {answer}, is no longer asked")
            continue
        try:
            kept[key] = known[key].parse(answer)
        except AnswersError:
            if key not in given and not asking:
                raise
            notes.append(f"`{key}={answer}` is no longer a possible answer")
    return kept, notes


def _backend(
    before: Mapping[str, Answer], settled: Mapping[str, Answer], cases: tuple[Case, Case], choose: Choose | None
) -> str:
    """The backend for new answers: the present one, unless another fits them better or it fits no more."""
    old, new = cases
    present = str(before["backend"])
    recommendation = recommend(settled, new.matrix)
    if recommendation.backend == present:
        return present
    possible = any(verdict.backend == present and verdict.admissible for verdict in rank(settled, new.matrix))
    same = all(before.get(key) == answer for key, answer in settled.items() if key != "backend")
    # Who overruled the recommendation once has decided, and is not asked again while that is possible.
    overruled = recommend(before, old.matrix).backend != present
    if possible and (same or overruled):
        return present
    if choose:
        return choose(recommendation, new)
    if possible or same:
        raise _undecided(present, recommendation.backend, possible)
    return recommendation.backend


def _undecided(present: str, better: str, possible: bool) -> NoTerminalError:
    stay = f"`--set backend={present}` to stay with it, or " if possible else ""
    return NoTerminalError(
        f"The answers recommend {better}, the project runs on {present}, and nobody is there to choose",
        why="" if possible else f"{present} can no longer keep what the answers ask for",
        hint=f"Add {stay}`--set backend={better}` to change",
    )
