"""One run's questions, rules and template, and how its answers come together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgtasks.answers import read_answers, read_settings
from bgtasks.errors import NoTerminalError
from bgtasks.matrix import Matrix, load_matrix
from bgtasks.questions import Answer, Question, check, complete, load_questions
from bgtasks.releases import current, template_root
from bgtasks.relevance import open_questions

__all__ = ["Case", "opened"]


@dataclass(frozen=True)
class Case:
    """The questions and the rules of one template.

    Attributes:
        version: The version of the template.
        template: Plain directory with copier.yml; gone when the `opened` block ends.
        questions: In the order in which they are asked.
        matrix: The rules.
    """

    version: str
    template: Path
    questions: tuple[Question, ...]
    matrix: Matrix

    def given(self, file: Path | None, settings: Sequence[str], name: str = "") -> dict[str, Answer]:
        """Check the answers from outside: `--set` before `--answers`, both before a project name of ours.

        Raises:
            AnswersError: An unknown key, a wrong value, or a file that cannot be read.
        """
        raw: dict[str, object] = {"project_name": name} if name else {}
        if file:  # what Copier notes there about itself starts with `_`
            raw |= {key: value for key, value in read_answers(file).items() if not key.startswith("_")}
        raw |= read_settings(settings)
        return check(raw, self.questions)

    def settle(self, known: Mapping[str, Answer], *, ask: bool, defaults: bool) -> dict[str, Answer]:
        """Answer what is still open, by prompts or by the defaults.

        Raises:
            NoTerminalError: Questions are open, and neither may be done.
            ContradictionError: The answers do not go together.
        """
        answers = dict(known)
        # Asked anew after each answer, which may have settled some of the questions after it.
        while not defaults and (still_open := open_questions(answers, self.questions, self.matrix, self.template)):
            if not ask:
                raise _unanswered(still_open)
            from bgtasks.ask import ask_question  # loads questionary, which only a terminal needs

            answers[still_open[0].key] = ask_question(still_open[0])
        return complete(answers, self.questions, self.matrix)


@contextmanager
def opened(version: str = "") -> Iterator[Case]:
    """Give the case of a version of the template, this installation's own if none is named.

    Raises:
        ReleaseError: This installation does not have that version.
    """
    version = version.removeprefix("v") or current()
    with template_root(version) as template:
        matrix = load_matrix(template / "matrix.yml")
        yield Case(version, template, load_questions(template, matrix), matrix)


def _unanswered(questions: Sequence[Question]) -> NoTerminalError:
    flags = " ".join(f"--set {question.key}={question.default}" for question in questions)
    return NoTerminalError(
        f"{len(questions)} questions are open and nobody is there to answer them"
        if len(questions) > 1
        else f"The question `{questions[0].key}` is open and nobody is there to answer it",
        why="\n".join(f"{question.key}: {question.help}" for question in questions),
        hint=f"Answer with `--answers FILE` or `{flags}`, or take these defaults with `--defaults`",
    )
