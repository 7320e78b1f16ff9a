"""What the person sees: plain lines on stdout, errors and warnings on stderr, colour where it is wanted."""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

from bgtasks.errors import BgtasksError

__all__ = ["is_interactive", "say", "speaking", "warn"]

_CANCELLED = 130  # 128 + SIGINT, what shells expect after Ctrl-C


def is_interactive() -> bool:
    """Tell whether somebody sits at a terminal who can see questions and answer them."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def say(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    for line in lines:
        typer.echo(_harmless(line))


def warn(message: str, details: Iterable[str]) -> None:
    """Print a warning with indented details to stderr."""
    _err(_paint("warning: ", typer.colors.YELLOW) + _harmless(message))
    for line in details:
        _err(f"  {_harmless(line)}")


@contextmanager
def speaking() -> Iterator[None]:
    """Turn whatever ends a command early into a message on stderr and an exit code.

    1 after an error, 130 after Ctrl-C or Ctrl-D in a prompt. An exception that nobody foresaw keeps its traceback.
    """
    try:
        yield
    except BgtasksError as error:
        _report(error)
        raise typer.Exit(1) from error
    except (KeyboardInterrupt, EOFError) as interrupt:
        _err("Cancelled")
        raise typer.Exit(_CANCELLED) from interrupt
    except (typer.Exit, BrokenPipeError):
        raise  # Typer's own: a command that has said its last word, a reader that has gone away
    except Exception as error:
        traceback.print_exc()
        _err(_paint("\nerror: ", typer.colors.RED) + "this is a bug in bgtasks")
        _err("\nhint: Please report it with the lines above and the command that you ran")
        raise typer.Exit(1) from error


def _report(error: BgtasksError) -> None:
    _err(_paint("error: ", typer.colors.RED) + _harmless(error.message))
    for line in error.why.splitlines():
        _err(f"  {_harmless(line)}")
    _err(_paint("\nhint: ", typer.colors.CYAN) + _harmless(error.hint))


def _err(line: str) -> None:
    typer.echo(line, err=True)


def _harmless(text: str) -> str:
    """The text with what steers a terminal written out: names of files and keys are other people's."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def _paint(text: str, colour: str) -> str:
    # Decided for stderr, where everything coloured goes: stdout may be a file all the same.
    wanted = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return typer.style(text, fg=colour, bold=True) if wanted else text
