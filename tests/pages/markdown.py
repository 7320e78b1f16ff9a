"""The parts of a Markdown page that a test can hold it to.

A fenced block says in its first line what becomes of it. `sh` is typed into a terminal, `text` is what that prints
(`...` stands for anything). Any language may go on with `write=PATH` (the reader writes this file), `edit=PATH` (a diff
that the reader makes by hand) or `from=PATH` (quoted from a file of a rendered project, or of this repository). `sh`
may go on with `background` (it runs until Ctrl-C), `needs=PROGRAM` or `from=PATH` (quoted, because it needs Docker).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    line: int
    language: str
    text: str
    words: dict[str, str] = field(default_factory=dict)


def blocks(page: Path) -> Iterator[Block]:
    """Give the fenced blocks of a page in their order."""
    content = page.read_text()
    for match in _FENCE.finditer(content):
        words = dict((*word.split("=", 1), "")[:2] for word in match[2].split())
        yield Block(content.count("\n", 0, match.start()) + 1, match[1], match[3], words)


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Give the targets of the links of a page."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Give the names that a link into this page may end with, as GitHub makes them of its headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(prose(page))}


def rows(page: Path, heading: str) -> list[list[str]]:
    """Give the cells of the rows of every table below a heading, without backticks and without their heads."""
    section = prose(page).split(f"# {heading}\n", 1)[1].split("\n#", 1)[0]
    tables = re.findall(r"^\|.*\n\| --- .*\n((?:\|.*(?:\n|$))*)", section, re.MULTILINE)
    return [[cell.strip().replace("`", "") for cell in line[1:-1].split("|")] for line in "".join(tables).splitlines()]
