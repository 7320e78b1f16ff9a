"""Write docs/reference/matrix.md and docs/reference/questions.md from matrix.yml and copier.yml.

`python scripts/reference.py` writes them; with `--check` nothing is written, and the run fails when a page is stale.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bgtasks.matrix import LADDER, Matrix, Rule, load_matrix
from bgtasks.questions import Question, load_questions

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"


def pages(root: Path) -> dict[str, str]:
    """Give the text of every page by its file name."""
    matrix, questions = load_matrix(root / "matrix.yml"), load_questions(root)
    return {
        "matrix.md": "\n".join(matrix_page(matrix)) + "\n",
        "questions.md": "\n".join(questions_page(questions)) + "\n",
    }


def matrix_page(matrix: Matrix) -> Iterator[str]:
    """Give the lines of the page on the rules."""
    yield "# The decision matrix\n"
    yield "<!-- Written by scripts/reference.py from matrix.yml. Change that file and run the script. -->\n"
    yield "A requirement vetoes every backend that cannot keep it. The others are ranked by the sum of their points,"
    yield "and on a tie the one with less to operate wins: the order of the table below."
    yield f"From a lead of {matrix.clear_margin} points a recommendation is called *clear*, below it *close*."
    yield "\n## Backends\n"
    yield from table(("backend", "what it is", "broker by infrastructure"), backend_rows(matrix))
    yield "\n## Durations\n"
    yield f"Rules look at `{LADDER}` by these levels; a duration belongs to the first that it does not exceed.\n"
    ladder = ((f"`{r.level}`", limit(r.up_to_s), ", ".join(f"`{p}`" for p in r.presets)) for r in matrix.ladder)
    yield from table(("level", "up to", "for example"), ladder)
    for key, backend in matrix.backends.items():
        rules = [rule for rule in matrix.rules if key in rule.backends]
        yield f"\n## {backend.title}\n"
        yield from table(
            ("when", "effect", "reason", "source"), (rule_row(rule, matrix) for rule in sorted(rules, key=by_effect))
        )
    yield "\n## Sizes\n"
    yield "What an answer means for the size of things, whatever the backend."
    for question, levels in matrix.raw["sizing"].items():
        names = next(iter(levels.values()))
        yield ""
        yield from table(
            (f"`{question}`", *names), ((f"`{level}`", *sizes.values()) for level, sizes in levels.items())
        )


def questions_page(questions: Iterable[Question]) -> Iterator[str]:
    """Give the lines of the page on the questions."""
    yield "# Questions and answers\n"
    yield "<!-- Written by scripts/reference.py from copier.yml. Change that file and run the script. -->\n"
    yield "Answer with `--set key=value`, in an answers file (a YAML mapping of these keys), or at the prompts."
    for question in questions:
        yield f"\n## `{question.key}`\n"
        yield question.help
        yield f"\nDefault: {default(question)}."
        if question.kind == "duration":
            yield f"Presets of the prompt: {', '.join(f'`{value}`' for value in question.values)}."
        elif question.choices:
            yield ""
            yield from table(
                ("answer", "meaning"), ((f"`{choice.value}`", choice.label) for choice in question.choices)
            )


def backend_rows(matrix: Matrix) -> Iterator[tuple[str, str, str]]:
    """Give one row for each backend, less to operate first."""
    for key, backend in matrix.backends.items():
        brokers = ", ".join(f"{infrastructure}: {broker}" for infrastructure, broker in backend.brokers.items())
        yield f"`{key}`", " ".join(filter(None, (f"{backend.title}: {backend.summary}.", backend.maintenance))), brokers


def rule_row(rule: Rule, matrix: Matrix) -> tuple[str, str, str, str]:
    """Give the cells of one rule."""
    when = {key: " or ".join(f"`{x}`" for x in matrix.levels[key] if x in named) for key, named in rule.when}
    conditions = "<br>".join(f"`{key}`: {levels}" for key, levels in when.items())
    return conditions or "always", "veto" if rule.points is None else f"{rule.points:+}", rule.reason, rule.source


def by_effect(rule: Rule) -> tuple[bool, int]:
    """Sort vetoes first, then the most points."""
    return rule.points is not None, -(rule.points or 0)


def default(question: Question) -> str:
    """Say what holds when nobody answers."""
    computed = {"project_name": "the name of the destination directory", "backend": "the recommendation"}
    return computed.get(question.key, f"`{question.default}`")


def limit(up_to_s: float) -> str:
    """Say where a rung ends."""
    return "no limit" if up_to_s == float("inf") else f"{up_to_s:g} s"


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Give the lines of a Markdown table."""
    names = list(head)
    lines: list[Iterable[object]] = [names, ["---"] * len(names), *rows]
    for row in lines:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page is stale")
    parser.add_argument("--pages", type=Path, default=PAGES, help="where the pages are")
    options = parser.parse_args()
    stale = [
        (options.pages / name, text)
        for name, text in pages(ROOT).items()
        if not (options.pages / name).is_file() or (options.pages / name).read_text() != text
    ]
    for path, text in stale:
        print(f"{path.name} is stale: run `python scripts/reference.py`" if options.check else f"wrote {path.name}")
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
