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
    from bgtasks.recommend import Recommendation

__all__ = ["app"]

app = typer.Typer(
    help="Choose the background task backend that fits a FastAPI service, and write the service around it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _check_settings(words: list[str] | None) -> list[str]:
    # Here rather than in the command, so that it is a usage error, with exit code 2.
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
    release: Annotated[
        str, typer.Option("--release", metavar="VERSION", help="Write what that release of bgtasks wrote.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the decision and the files; write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Write a service with the backend that fits the answers.

    An answer from --set counts before one from --answers, and both before prompts and defaults.
    On a directory that holds a project of bgtasks already, the update is offered.
    """
    with speaking():
        from bgtasks.case import opened
        from bgtasks.destination import check_vacant
        from bgtasks.project import holds_project
        from bgtasks.render import plan, render
        from bgtasks.secret_files import make_secrets
        from bgtasks.show import next_steps

        asking = is_interactive() and not defaults
        if asking and not dry_run and _wants_update(dest):
            _update(dest, answers, settings or [], release)
            return
        with opened(release) as case:
            given = case.given(answers, settings or [], dest.resolve().name)
            if asking or holds_project(dest):  # nobody should answer ten questions for a directory that is taken
                check_vacant(dest, lambda: plan({"project_name": "project"}, case.template))
            settled = case.settle(given, ask=asking, defaults=defaults)
            check_vacant(dest, lambda: plan(settled, case.template))
            final = _decide(case, settled, asking and "backend" not in given, quiet)
            if dry_run:
                say([] if quiet else ["", f"Would write into {dest}:"])
                say(path.as_posix() for path in plan(final, case.template))
                return
            paths = render(final, dest, case.template, case.version)
            if problem := make_secrets(dest):
                warn("No secret files were made; `poe secrets` in the project makes them:", [problem])
            if not quiet:
                say(["", f"Wrote {len(paths)} files into {dest}", "", *next_steps(dest, final, case.matrix)])


@app.command()
def update(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Directory of the project.")] = Path(),
    answers: AnswersFile = None,
    settings: Settings = None,
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="Go to that release instead of the newest.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print the changes as a patch; write nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 when there is something to update; write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Change files with edits that are not committed, too.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Write without asking; new questions take their defaults.")
    ] = False,
) -> None:
    """Bring a project to this release of bgtasks, or to other answers, and keep what you wrote.

    Says first what it will do. Exits with 1 when files are in conflict.
    """
    with speaking():
        _update(directory, answers, settings or [], to, check=check, diff=diff, dry_run=dry_run, force=force, yes=yes)


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


def _wants_update(dest: Path) -> bool:
    """Offer the update of a project that is there already."""
    from bgtasks.ask import ask_whether
    from bgtasks.project import holds_project

    return holds_project(dest) and ask_whether(f"{dest} holds a project of bgtasks. Update it?")


def _update(
    directory: Path, answers: Path | None, settings: list[str], to: str, *, yes: bool = False, **manner: bool
) -> None:
    from bgtasks.update.command import Manner, nobody_to_ask, update
    from bgtasks.update.target import Wishes

    asking = is_interactive() and not yes
    # Without a terminal and without --yes the plan is still worked out and shown before this stops it.
    confirm = _wants_it_written if asking else None if yes else nobody_to_ask
    wishes = Wishes(to, answers, settings, _choose_backend if asking else None)
    if code := update(directory, wishes, Manner(confirm, **manner)):
        raise typer.Exit(code)


def _wants_it_written() -> bool:
    from bgtasks.ask import ask_whether

    return ask_whether("Write this?")


def _choose_backend(recommendation: "Recommendation", case: "Case") -> str:
    from bgtasks.ask import ask_backend
    from bgtasks.show import decision

    say(decision(recommendation, case.matrix))
    return ask_backend(recommendation, case.matrix)


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
