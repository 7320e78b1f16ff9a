"""Whatever two versions of a template are, and whatever a project has become: nothing of the user's is lost.

The trees are drawn at random, with few paths, so that files, folders, renames and links meet in each other's place.
`make test` tries a fixed number of cases, always the same; `make fuzz` tries new ones for longer.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgtasks.project import ANSWERS_FILE
from bgtasks.update import plan as planning
from bgtasks.update.apply import apply
from bgtasks.update.plan import Plan, make_plan
from bgtasks.update.renders import Renders
from bgtasks.update.trees import Kind, Node, read_tree
from updates.test_random_edits import EXAMPLES, FUZZING

PATHS = ["a.txt", "b.txt", "d", "d/a.txt", "d/e", "d/e/f.txt", "g/a.txt", "a.txt.bgtasks-new", "ünï cödé"]
LINES = [f"{word} of the template, number {number}\n" for number, word in enumerate(("one", "two", "three", "four"))]
ENDS = ["\n", "\r\n"]


def fitting(drawn: Mapping[str, Node]) -> dict[str, Node]:
    """Leave out what lies below a file."""
    return {path: node for path, node in drawn.items() if not any(path.startswith(f"{other}/") for other in drawn)}


texts = st.lists(st.sampled_from(LINES), max_size=8).map("".join)
files = st.builds(lambda text, run: Node(Kind.FILE, text.encode(), run), texts, st.booleans())
binaries = st.sampled_from([Node(Kind.FILE, b"\0" + bytes([number]) * 50) for number in (1, 2, 3)])
templates = st.dictionaries(st.sampled_from(PATHS), files | binaries, max_size=5).map(fitting)
own = st.one_of(files, files, binaries, st.sampled_from([Node(Kind.LINK, b"elsewhere"), Node(Kind.LINK, b"..")]))
edits = st.lists(st.tuples(st.sampled_from(PATHS), st.integers(0, 9), st.sampled_from(ENDS)), max_size=4)


def edited(base: Mapping[str, Node], added: Mapping[str, Node], removed: set[str], marks: list[Any]) -> dict[str, Node]:
    """What a user makes of a project: files removed, added, replaced, and lines written into texts."""
    mine = fitting({path: node for path, node in base.items() if path not in removed} | dict(added))
    for number, (path, where, end) in enumerate(marks):
        if path in mine and mine[path].kind is Kind.FILE and b"\0" not in mine[path].content:
            lines = mine[path].content.decode().replace("\r\n", "\n").splitlines(keepends=True)
            lines.insert(where % (len(lines) + 1), f"written by the user, {number}\n")
            mine[path] = Node(Kind.FILE, "".join(lines).replace("\n", end).encode(), mine[path].executable)
    return mine


def write(root: Path, tree: Mapping[str, Node]) -> None:
    for path, node in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if node.kind is Kind.LINK:
            (root / path).symlink_to(node.content.decode())
        else:
            (root / path).write_bytes(node.content)
            (root / path).chmod(0o755 if node.executable else 0o644)


def updated(root: Path, base: Mapping[str, Node], theirs: Mapping[str, Node], *, switches: bool) -> Plan:
    """Plan and write the update of the project in `root` between two renders."""
    answers = [Node(Kind.FILE, f"_commit: v{number}\n".encode()) for number in (1, 2)]
    (root / ANSWERS_FILE).write_bytes(answers[0].content)
    renders = Renders({**base, ANSWERS_FILE: answers[0]}, {**theirs, ANSWERS_FILE: answers[1]})
    target: Any = SimpleNamespace(
        project=SimpleNamespace(root=root), old=object(), new=SimpleNamespace(version="2"), switches=switches, notes=()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "rendered", lambda _: renders)
        plan = make_plan(target, None)
    apply(root, plan.changes)
    return plan


fixed = settings(
    max_examples=EXAMPLES * 2,
    deadline=None,
    derandomize=not FUZZING,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@fixed
@given(
    base=templates,
    theirs=templates,
    added=st.dictionaries(st.sampled_from(PATHS), own, max_size=3).map(fitting),
    removed=st.sets(st.sampled_from(PATHS), max_size=3),
    marks=edits,
    switches=st.booleans(),
)
def test_what_a_user_wrote_is_there_after_an_update_between_any_two_versions(
    base: dict[str, Node],
    theirs: dict[str, Node],
    added: dict[str, Node],
    removed: set[str],
    marks: list[Any],
    switches: bool,
) -> None:
    mine = edited(base, added, removed, marks)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), mine)
        plan = updated(Path(folder), base, theirs, switches=switches)
        after = read_tree(Path(folder), {*read_tree(Path(folder)), *mine})
    contents = [node.content.replace(b"\r\n", b"\n") for node in after.values()]
    for path, node in mine.items():
        if node.kind is Kind.LINK:
            assert after[path] == node
        elif b"\0" in node.content and node not in base.values():
            assert node.content in contents
        for line in node.content.replace(b"\r\n", b"\n").splitlines():
            assert b"by the user" not in line or any(line in content.splitlines() for content in contents)
    assert any(b"<<<<<<< yours" in content for content in contents) <= bool(plan.conflicts)


@fixed
@given(base=templates, theirs=templates, switches=st.booleans())
def test_an_untouched_project_becomes_any_new_version(
    base: dict[str, Node], theirs: dict[str, Node], switches: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), base)
        plan = updated(Path(folder), base, theirs, switches=switches)
        after = {path: node for path, node in read_tree(Path(folder)).items() if path != ANSWERS_FILE}
    assert (plan.conflicts, plan.notes) == ((), ())
    assert after == theirs


def test_an_empty_file_that_the_template_adds_where_a_folder_of_the_users_is(tmp_path: Path) -> None:
    write(tmp_path, {"d/a.txt": Node(Kind.FILE, b"mine\n")})
    plan = updated(tmp_path, {}, {"d": Node(Kind.FILE, b"", executable=True)}, switches=False)
    assert [path for path, _ in plan.conflicts] == ["d"]
    assert ((tmp_path / "d/a.txt").read_text(), (tmp_path / "d.bgtasks-new").read_bytes()) == ("mine\n", b"")


def test_a_file_that_the_template_moves_to_where_it_had_a_folder(tmp_path: Path) -> None:
    text, other = (Node(Kind.FILE, "".join(lines).encode()) for lines in (LINES, LINES[::-1] * 3))
    base, theirs = {"a.txt": text, "d/a.txt": other}, {"d": text, "b.txt": other}
    write(tmp_path, base)
    assert updated(tmp_path, base, theirs, switches=False).conflicts == ()
    assert {path: node for path, node in read_tree(tmp_path).items() if path in theirs} == theirs


def test_a_file_that_the_template_moves_into_a_folder_of_the_same_name(tmp_path: Path) -> None:
    text = Node(Kind.FILE, "".join(LINES).encode())
    write(tmp_path, {"d": text})
    assert updated(tmp_path, {"d": text}, {"d/a.txt": text}, switches=False).conflicts == ()
    assert read_tree(tmp_path)["d/a.txt"] == text


def test_files_that_the_template_moves_into_a_folder_named_like_one_of_them(tmp_path: Path) -> None:
    text, other = (Node(Kind.FILE, "".join(lines).encode()) for lines in (LINES, LINES[::-1] * 3))
    base, theirs = {"a.txt": text, "d": other}, {"d/a.txt": text, "d/e": other}
    write(tmp_path, base)
    assert updated(tmp_path, base, theirs, switches=False).conflicts == ()
    assert {path: node for path, node in read_tree(tmp_path).items() if path in theirs} == theirs
