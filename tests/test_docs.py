"""What the documentation says is true: commands are run, snippets are quoted, links lead somewhere."""

import ast
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

from conftest import ROOT
from pages.markdown import Block, anchors, blocks, links, prose
from pages.terminal import Terminal, matches, terminal
from service.brokers import need
from service.project import Project

DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path for path in [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]}
TYPED = {name: page for name, page in PAGES.items() if any(block.language == "sh" for block in blocks(page))}
IN_THE_CHECKOUT = ("README.md", "docs/tutorial/first-project.md")

pytestmark = pytest.mark.xdist_group("docs")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout as somebody else has it, without what we made in it."""
    ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build", "dist")
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("docs") / "bgtasks", ignore=ignored))


@pytest.mark.parametrize("name", TYPED)
def test_the_commands_of_a_page_do_what_it_says(name: str, checkout: Path) -> None:
    if "curl" in TYPED[name].read_text():
        need("curl")
    shutil.rmtree(checkout.parent / "orders", ignore_errors=True)  # another page has written it
    beside = checkout.parent / Path(name).stem
    beside.mkdir()
    with terminal(checkout if name in IN_THE_CHECKOUT else beside, Path(sys.executable).parent) as opened:
        printed = ""
        for block in blocks(TYPED[name]):
            printed = follow(block, opened, printed)


def follow(block: Block, opened: Terminal, printed: str) -> str:
    """Do what a block tells its reader to do; gives what the last command printed."""
    if block.language == "text":
        assert matches(opened.here(block.text), printed), f"line {block.line} differs:\n{printed}"
    elif "write" in block.words:
        path = Path(opened.run("pwd").strip(), block.words["write"])
        path.write_text(block.text)
    elif "edit" in block.words:
        edit(Path(opened.run("pwd").strip(), block.words["edit"]), block.text)
    elif block.language == "sh" and "from" not in block.words:
        return type_in(block, opened)
    return printed


def type_in(block: Block, opened: Terminal) -> str:
    """Type a block of commands and give what it prints."""
    if program := block.words.get("needs"):
        need(program)
    if "background" in block.words:
        opened.leave_running(block.text)
        return ""
    return opened.run(block.text)


def edit(path: Path, diff: str) -> None:
    """Make the change of a diff without line numbers; what it removes must be there once."""
    old, new = ("".join(line[1:] for line in diff.splitlines(True) if line[0] != drop) for drop in "+-")
    content = path.read_text()
    assert content.count(old) == 1, f"{path.name} does not hold what the page changes:\n{old}"
    path.write_text(content.replace(old, new))


BLOCKS = {f"{name}:{block.line}": block for name, page in PAGES.items() for block in blocks(page)}
QUOTED = {label: block for label, block in BLOCKS.items() if "from" in block.words}
PYTHON = {label: block for label, block in BLOCKS.items() if block.language == "python"}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_every_block_is_typed_compared_or_quoted(block: Block) -> None:
    known = block.language in ("sh", "text") or {"write", "edit", "from"} & block.words.keys()
    assert known, "say where it comes from: from=PATH"


@pytest.mark.parametrize("block", QUOTED.values(), ids=QUOTED)
def test_quoted_lines_stand_where_the_page_says(block: Block, renders: list[Project]) -> None:
    in_renders = [path for one in renders if (path := one.root / block.words["from"]).is_file()]
    sources = in_renders or [path for path in [ROOT / block.words["from"]] if path.is_file()]
    texts = [re.sub(r"\s+", " ", path.read_text()) for path in sources]
    missing = [line for line in block.text.splitlines() if not any(squeezed(line) in text for text in texts)]
    assert sources
    assert missing == []


def squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", line.strip())


@pytest.mark.parametrize("block", PYTHON.values(), ids=PYTHON)
def test_python_in_a_page_compiles(block: Block) -> None:
    ast.parse(block.text)


@cache
def targets(page: Path) -> set[str]:
    return anchors(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in links(PAGES[name]):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        page = (PAGES[name].parent / path).resolve() if path else PAGES[name]
        assert page.exists(), link
        assert not anchor or anchor in targets(page), link


def test_every_page_is_linked_from_the_index() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "README.md")}
    assert {page for page in PAGES.values() if DOCS in page.parents} - linked == {DOCS / "README.md"}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_speaks_of_the_machine_that_it_was_written_on(name: str) -> None:
    assert not re.search(r"/(work|root|home|tmp)/\w", PAGES[name].read_text())


def test_the_pages_are_written_plainly() -> None:
    found = {name for name, page in PAGES.items() if re.search(r"\b(simply|just|easily|obviously)\b", prose(page))}
    assert found == set()
