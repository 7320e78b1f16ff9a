"""Every error that bgtasks raises on purpose.

    BgtasksError
    ├── AnswersError            a question got an answer that it cannot take
    │   └── ContradictionError  the answers are fine alone and impossible together
    ├── MatrixError             the decision matrix is broken
    ├── NoTerminalError         questions are open and nobody is there to answer
    ├── DestinationError        the project cannot be written where it was asked for
    ├── RenderError             the template could not be rendered
    ├── ReleaseError            this installation has no such version of the template
    ├── ProjectError            the directory holds no project that can be updated
    └── UpdateError             the project could not be updated and is as it was

`cli.py` is the one place that catches them. Anything else that gets there is a bug in bgtasks.
"""

__all__ = [
    "AnswersError",
    "BgtasksError",
    "ContradictionError",
    "DestinationError",
    "MatrixError",
    "NoTerminalError",
    "ProjectError",
    "ReleaseError",
    "RenderError",
    "UpdateError",
]


class BgtasksError(Exception):
    """Raised when bgtasks cannot do what was asked; says what happened, why, and what to do.

    Args:
        message: What happened, naming the object. One line without a full stop.
        why: What was found, may have several lines; empty when the message says it all.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, why: str = "", hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.hint = hint


class AnswersError(BgtasksError):
    """Raised when an answer has an unknown key, a wrong value or a wrong type."""


class ContradictionError(AnswersError):
    """Raised when no backend can keep what the answers demand together."""


class MatrixError(BgtasksError):
    """Raised when the matrix does not fit the questions or itself."""


class NoTerminalError(BgtasksError):
    """Raised when questions are open and there is no terminal to ask them in."""


class DestinationError(BgtasksError):
    """Raised when the destination is taken, is not a directory, or cannot be written."""


class RenderError(BgtasksError):
    """Raised when the template could not be rendered; nothing was written."""


class ReleaseError(BgtasksError):
    """Raised when this installation does not have the version of the template that is asked for."""


class ProjectError(BgtasksError):
    """Raised when a directory holds no bgtasks project, or one whose answers file cannot be used."""


class UpdateError(BgtasksError):
    """Raised when a project could not be updated; it is as it was."""
