"""The command line: parse, call, print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgtasks import __version__
from bgtasks.console import is_interactive, say, speaking, warn

# Copier, questionary, Jinja and YAML take far longer to import than `--help` takes to print: whatever leads to
# them is imported inside the command that needs it.
if TYPE_CHECKING:
    from bgtasks.case import Case
    from bgtasks.questions import Answer

__all__ = ["app"]

app = typer.Typer(
    help="Choose the background task backend that fits a FastAPI service, and write the service around it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _check_settings(words: list[str] | None) -> list[str]:
    for word in words or []:
        if word.find("=") < 1:
            raise typer.BadParameter(f"{word!r} is not of the form KEY=VALUE")
    return words or []


def _complete_setting() -> list[str]:
    from bgtasks.case import opened

    with opened() as case:
        return [f"{question.key}={value}" for question in case.questions for value in question.values]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bgtasks {__version__}")
        raise typer.Exit


AnswersFile = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE", help="YAML file with answers, such as a project's .copier-answers.yml."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Answer one question; repeatable.",
        callback=_check_settings,
        autocompletion=_complete_setting,
    ),
]
Defaults = Annotated[bool, typer.Option("--defaults", help="Ask nothing: every open question takes its default.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines, and ask nothing.")]


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass  # holds the options that belong to no command


@app.command()
def new(
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="Directory of the project: new, or empty.")],
    answers: AnswersFile = None,
    settings: Settings = None,
    defaults: Defaults = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the decision and the files; write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Write a service with the backend that fits the answers.

    An answer from --set counts before one from --answers, and both before prompts and defaults.
    """
    with speaking():
        from bgtasks.case import opened
        from bgtasks.destination import check_vacant
        from bgtasks.render import plan, render
        from bgtasks.show import next_steps

        asking = is_interactive() and not defaults
        with opened() as case:
            given = case.given(answers, settings or [], dest.resolve().name)
            if asking:  # nobody should answer ten questions for a directory that is taken
                check_vacant(dest, lambda: plan({"project_name": "project"}, case.template))
            settled = case.settle(given, ask=asking, defaults=defaults)
            check_vacant(dest, lambda: plan(settled, case.template))
            final = _decide(case, settled, asking and "backend" not in given, quiet)
            if dry_run:
                say([] if quiet else ["", f"Would write into {dest}:"])
                say(path.as_posix() for path in plan(final, case.template))
                return
            paths = render(final, dest, case.template)
            if not quiet:
                say(["", f"Wrote {len(paths)} files into {dest}", "", *next_steps(dest, final, case.matrix)])


@app.command()
def recommend(
    answers: AnswersFile = None, settings: Settings = None, defaults: Defaults = False, as_json: Json = False
) -> None:
    """Say which backend fits the answers, and why; write nothing."""
    with speaking():
        from dataclasses import asdict

        from bgtasks.case import opened
        from bgtasks.derive import derive
        from bgtasks.recommend import recommend as recommended
        from bgtasks.show import decision

        with opened() as case:
            asking = is_interactive() and not defaults and not as_json
            final = case.settle(case.given(answers, settings or []), ask=asking, defaults=defaults)
            recommendation = recommended(final, case.matrix)
            if as_json:
                derived = derive({**final, "backend": recommendation.backend}, case.matrix, case.template)
                say([json.dumps({**recommendation.as_json(), "derived": asdict(derived)}, indent=2)])
            else:
                say(decision(recommendation, case.matrix))


@app.command()
def matrix(as_json: Json = False) -> None:
    """Print the decision matrix: every rule with its reason and its source."""
    with speaking():
        from bgtasks.case import opened
        from bgtasks.show import matrix_as_json, matrix_lines

        with opened() as case:
            say([json.dumps(matrix_as_json(case.matrix), indent=2)] if as_json else matrix_lines(case.matrix))


def _decide(case: "Case", answers: "dict[str, Answer]", ask: bool, quiet: bool) -> "dict[str, Answer]":
    """Show the recommendation, let the person overrule it, and say what that costs."""
    from bgtasks.recommend import overrule_cost
    from bgtasks.recommend import recommend as recommended
    from bgtasks.show import decision

    recommendation = recommended(answers, case.matrix)
    if not quiet:
        say(decision(recommendation, case.matrix))
    if ask:
        from bgtasks.ask import ask_backend

        answers = {**answers, "backend": ask_backend(recommendation, case.matrix)}
    cost = overrule_cost(answers, case.matrix)
    if cost and not quiet:
        titles = [case.matrix.backends[key].title for key in (str(answers["backend"]), recommendation.backend)]
        warn("{} instead of the recommended {} costs:".format(*titles), cost)
    return answers
