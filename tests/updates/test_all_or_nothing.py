"""Whatever goes wrong while an update is written, the project is as it was."""

import contextlib
import errno
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bgtasks.errors import UpdateError
from bgtasks.project import STAGE
from bgtasks.update import apply as target
from bgtasks.update.apply import apply, refuse_half_done
from bgtasks.update.plan import Change
from bgtasks.update.trees import Kind, Node, look
from updates.project import Shop, line

CALLS = ["mkdir", "link", "rename", "replace", "rmdir", "chmod", "chown", "unlink"]
ALL = ["a.txt", "b.txt", "file", "file/inside.txt", "folder", "kept.txt", "new", "new/deep", "new/deep/e.txt"]
FAULTS = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]


@pytest.fixture
def project(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "shop")
    for path in ("a.txt", "b.txt", "folder/c.txt", "folder/deep/d.txt", "file", "kept.txt"):
        shop.write(path, f"{path} of before\n")
    (shop / "b.txt").chmod(0o640)
    (shop / "folder/deep").chmod(0o750)
    return shop


def file(content: str, *, executable: bool = False) -> Node:
    return Node(Kind.FILE, content.encode(), executable)


def changes(shop: Shop) -> list[Change]:
    """Something of everything: a change, a mode, a new folder, emptied folders, a file for a folder and back."""
    wanted: dict[str, Node | None] = {
        "file": None,
        "folder/c.txt": None,
        "folder/deep/d.txt": None,
        "a.txt": file("a of after\n"),
        "b.txt": file("b of after\n", executable=True),
        "new/deep/e.txt": file("e of after\n"),
        "file/inside.txt": file("inside\n"),
        "folder": file("a file now\n"),
    }
    return [Change(path, look(shop.root, path), node) for path, node in wanted.items()]


def file_times(shop: Shop) -> list[int]:
    """When the files that it had were last changed."""
    return [(shop / path).stat().st_mtime_ns for path in sorted(shop.content()) if (shop / path).is_file()]


@contextmanager
def failing_at(number: int, fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the nth call that changes a file system fail; gives the names of the calls until then."""
    seen: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            if len(seen) != number:
                return real(*args, **kwargs)
            if name == "write_bytes":
                real(args[0], args[1][: len(args[1]) // 2])
            raise fault

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", wrap("write_bytes", Path.write_bytes))
        for name in CALLS:
            patched.setattr(os, name, wrap(name, getattr(os, name)))
        yield seen


def test_all_of_it_is_written(project: Shop) -> None:
    inode = (project / "kept.txt").stat().st_ino
    apply(project.root, changes(project))
    assert sorted(project.content()) == ALL
    assert (project / "b.txt").stat().st_mode & 0o777 == 0o750
    assert (project / "kept.txt").stat().st_ino == inode


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_at_any_write_leaves_the_project_as_it_was(
    project: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    before, times = project.content(), file_times(project)
    for number in itertools.count(1):
        copy = Shop(tmp_path / str(number))
        shutil.copytree(project.root, copy.root)
        with failing_at(number, fault, monkeypatch) as calls, contextlib.suppress(UpdateError, type(fault)):
            apply(copy.root, changes(copy))
        if len(calls) < number:
            break
        if copy.content() == before:
            assert file_times(copy) == times
        else:  # another way was found, or all was done and only the tidying up failed
            assert [path for path in sorted(copy.content()) if not path.startswith(STAGE)] == ALL, calls[-1]
    assert number > 30


def test_a_full_disk_is_one_clear_error(project: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = OSError(errno.ENOSPC, "No space left on device", str(project / f"{STAGE}abcd/new/a.txt"))
    with failing_at(20, fault, monkeypatch), pytest.raises(UpdateError) as caught:
        apply(project.root, changes(project))
    assert caught.value.message == f"Cannot write `{project.root}`"
    assert caught.value.why == "No space left on device"
    assert "the project is as it was" in caught.value.hint


def test_a_file_system_without_hard_links_is_fine(project: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    before = project.content()
    monkeypatch.setattr(os, "link", link)
    with monkeypatch.context() as patched, pytest.raises(UpdateError):
        patched.setattr("bgtasks.update.apply._make_parents", link)
        apply(project.root, changes(project))
    assert project.content() == before
    apply(project.root, changes(project))
    assert project.read("a.txt") == "a of after\n"


def test_what_cannot_be_put_back_is_kept_and_named(project: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if "old" in path.parts or target.name == "folder":
            raise OSError(errno.EIO, "Input/output error", str(target))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(UpdateError, match="broken off half way") as caught:
        apply(project.root, changes(project))
    (stage,) = project.root.glob(f"{STAGE}*")
    assert "\nfolder/c.txt\n" in caught.value.why
    assert (stage / "old/folder/c.txt").read_text() == "folder/c.txt of before\n"


def test_ctrl_c_while_it_is_being_taken_back_changes_nothing(project: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = target._put_back

    def put_back(old: Path, path: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        real(old, path)

    before = project.content()
    monkeypatch.setattr(target, "_put_back", put_back)
    with failing_at(40, FAULTS[0], monkeypatch) as calls, pytest.raises(UpdateError, match="Cannot write"):
        apply(project.root, changes(project))
    assert calls.count("rename") > 2
    assert project.content() == before


def test_a_kill_while_it_tidies_up_leaves_nothing_to_put_back(project: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_discard", lambda _: None)
    apply(project.root, changes(project))
    refuse_half_done(project.root)
    assert [path for path in sorted(project.content()) if not path.startswith(STAGE)] == ALL


@pytest.mark.parametrize("path", ["a.txt", "file", "folder/c.txt", "new/deep/e.txt"])
def test_an_edit_after_the_update_was_worked_out_stops_it(project: Shop, path: str) -> None:
    planned = changes(project)
    project.write(path, "edited meanwhile\n")
    before = project.content()
    with pytest.raises(UpdateError, match="has changed since"):
        apply(project.root, planned)
    assert project.content() == before


def test_a_folder_that_became_a_link_meanwhile_is_not_followed(project: Shop, tmp_path: Path) -> None:
    planned = changes(project)
    (tmp_path / "outside").mkdir()
    (project / "new").symlink_to(tmp_path / "outside")
    before = project.content()
    with pytest.raises(UpdateError, match="no directory any more"):
        apply(project.root, planned)
    assert (project.content(), os.listdir(tmp_path / "outside")) == (before, [])


def test_a_read_only_file_is_updated_and_stays_read_only(shop: Shop) -> None:
    (shop / "text.txt").chmod(0o444)
    assert shop.update("--yes").exit_code == 0
    assert "line 2 of the template\n" in shop.read("text.txt")
    assert (shop / "text.txt").stat().st_mode & 0o777 == 0o444


def test_a_disk_that_is_full_from_the_start_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.replace("text.txt", *line(9, "of mine"))
    before = shop.content()
    with failing_at(1, FAULTS[0], monkeypatch):
        result = shop.update("--yes")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "bug in bgtasks" not in result.stderr
    assert shop.content() == before


SLOW = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import bgtasks.update.apply as target
    from bgtasks import releases

    releases.__file__, releases.__version__ = sys.argv.pop(1), "0.2.0"
    real = getattr(target, sys.argv.pop(1))

    def slowly(*given):
        print("half way", flush=True)
        time.sleep(1)
        return real(*given)

    setattr(target, real.__name__, slowly)
    from bgtasks.__main__ import run
    run()
    """
)


@pytest.mark.parametrize("step, code", [("_prepare", 130), ("_check", 130)], ids=["while writing", "while moving"])
def test_ctrl_c_in_the_middle_leaves_the_project_as_it_was_or_whole(
    shop: Shop, package: Path, step: str, code: int
) -> None:
    before = shop.content()
    words = [sys.executable, "-c", SLOW, str(package / "releases.py"), step, "update", str(shop.root), "--yes"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as run:
        assert run.stdout is not None
        while run.stdout.readline() not in ("half way\n", ""):
            pass
        run.send_signal(signal.SIGINT)
        ended = run.wait(60)
    assert list(shop.root.glob(f"{STAGE}*")) == []
    if ended == code:
        assert shop.content() == before
    else:
        assert (ended, shop.recorded()["_commit"]) == (0, "v0.2.0")


def test_a_kill_between_two_moves_loses_nothing(shop: Shop, package: Path) -> None:
    shop.replace("text.txt", *line(9, "of mine"))
    script = SLOW.replace("time.sleep(1)", "given[2].path == 'text.txt' and sys.stdin.read()")
    words = [sys.executable, "-c", script, str(package / "releases.py"), "_replace", "update", str(shop.root), "--yes"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while not (shop / "run.sh").stat().st_mode & 0o100:  # it comes right before text.txt
            assert run.poll() is None
        run.kill()
    refused = shop.update("--yes")
    assert refused.exit_code == 1
    assert "error: An update of `shop` was broken off half way\n" in refused.stderr
    command = re.search("`(cp .*)`, remove `(.*)`", refused.stderr)
    assert command is not None
    shutil.rmtree(shop / "file_to_folder")  # it was a file, and the next one was a folder
    (shop / "folder_to_file").unlink()
    subprocess.run(["sh", "-c", f"{command[1]} && rm -r {command[2]}"], cwd=shop.root, check=True)
    assert shop.update("--yes").exit_code == 0
    assert {"line 2 of the template", "line 9 of mine"} <= set(shop.read("text.txt").splitlines())
