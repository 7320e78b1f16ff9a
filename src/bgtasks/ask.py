"""Prompts in a terminal; the only module that imports questionary."""

import questionary

from bgtasks.errors import AnswersError
from bgtasks.matrix import Matrix
from bgtasks.questions import Answer, Question
from bgtasks.recommend import Recommendation

__all__ = ["ask_backend", "ask_question", "ask_whether"]

_OTHER = "another one"


def ask_question(question: Question) -> Answer:
    """Ask one question and give its checked answer.

    A question with choices is a list to pick from. The choices of a duration are presets, so its list
    ends with a way to type another one.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed in the prompt.
    """
    listed = [questionary.Choice(title=choice.label, value=choice.value) for choice in question.choices]
    if not listed:
        return _type_in(question)
    if question.kind == "duration":
        listed.append(questionary.Choice(title=_OTHER, value=_OTHER))
    # `ask` would print its own words on Ctrl-C and go on with None.
    picked = questionary.select(question.help, choices=listed, default=str(question.default)).unsafe_ask()
    return _type_in(question) if picked == _OTHER else question.parse(picked)


def ask_backend(recommendation: Recommendation, matrix: Matrix) -> str:
    """Ask for the backend: the recommended one first, a vetoed one not selectable, with the reason.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed in the prompt.
    """
    choices = []
    for verdict in recommendation.verdicts:
        mark = " (recommended)" if verdict.backend == recommendation.backend else ""
        title = matrix.backends[verdict.backend].title + mark
        veto = None if verdict.admissible else " ".join(verdict.reasons)
        choices.append(questionary.Choice(title=title, value=verdict.backend, disabled=veto))
    return str(questionary.select("Which backend?", choices=choices).unsafe_ask())


def ask_whether(question: str) -> bool:
    """Ask a question that is answered by yes or no; Enter means yes.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed in the prompt.
    """
    return bool(questionary.confirm(question).unsafe_ask())


def _type_in(question: Question) -> Answer:
    def validate(word: str) -> bool | str:
        try:
            question.parse(word.strip())
        except AnswersError as error:
            return f"{error.message}. {error.hint}"
        return True

    word = questionary.text(question.help, default=str(question.default), validate=validate).unsafe_ask()
    return question.parse(word.strip())
