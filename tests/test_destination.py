"""All or nothing: whatever goes wrong, the place looks as it did before."""

import errno
import os
import signal
from pathlib import Path

import pytest

from bgtasks.destination import check_vacant, staged
from bgtasks.errors import DestinationError


def write_into(dest: Path) -> None:
    with staged(dest) as stage:
        stage.mkdir()
        (stage / "app").mkdir()
        (stage / "README.md").write_text("hello")


def test_a_new_directory_appears_whole_with_its_parents(tmp_path: Path) -> None:
    write_into(tmp_path / "some" / "where" / "orders")
    assert sorted(os.listdir(tmp_path / "some/where/orders")) == ["README.md", "app"]
    assert os.listdir(tmp_path / "some/where") == ["orders"]


@pytest.mark.parametrize("umask, mode", [(0o022, 0o755), (0o077, 0o700), (0o002, 0o775)])
def test_a_new_directory_has_the_permissions_that_mkdir_gives(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_into(tmp_path / "orders")
    finally:
        os.umask(before)
    assert (tmp_path / "orders").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError, MemoryError])
def test_whatever_ends_the_block_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), staged(tmp_path / "some" / "where" / "orders") as stage:
        stage.mkdir()
        (stage / "README.md").write_text("half")
        raise failure
    assert os.listdir(tmp_path) == []


def test_parents_that_somebody_else_uses_meanwhile_stay(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), staged(tmp_path / "some" / "where" / "orders"):
        (tmp_path / "some" / "theirs").touch()
        raise ValueError("stop")
    assert os.listdir(tmp_path / "some") == ["theirs"]


def test_an_empty_directory_stays_the_same_directory(tmp_path: Path) -> None:
    dest = tmp_path / "orders"
    dest.mkdir(mode=0o750)
    before = dest.stat()
    write_into(dest)
    assert (dest.stat().st_ino, dest.stat().st_mode) == (before.st_ino, before.st_mode)
    assert sorted(os.listdir(dest)) == ["README.md", "app"]


def test_a_failure_leaves_an_empty_directory_empty(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staged(tmp_path) as stage:
        stage.mkdir()
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_move_that_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if (path.name, target.parent) == ("app", tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(DestinationError, match="Cannot write") as caught:
        write_into(tmp_path)
    assert "No space left on device" in caught.value.why
    assert os.listdir(tmp_path) == []


def test_the_directory_one_stands_in_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_into(Path())
    assert sorted(os.listdir()) == ["README.md", "app"]


def test_somebody_who_was_faster_is_neither_overwritten_nor_nested_into(tmp_path: Path) -> None:
    with pytest.raises(DestinationError), staged(tmp_path / "orders") as stage:
        stage.mkdir()
        (tmp_path / "orders").mkdir()
        (tmp_path / "orders" / "theirs").touch()
    assert os.listdir(tmp_path / "orders") == ["theirs"]
    assert os.listdir(tmp_path) == ["orders"]


def test_an_empty_directory_that_somebody_fills_meanwhile_keeps_only_theirs(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="Cannot write into"), staged(tmp_path) as stage:
        stage.mkdir()
        (tmp_path / "theirs").touch()
    assert os.listdir(tmp_path) == ["theirs"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_step_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.default_int_handler)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **options: _made_then_signalled(options["dir"], number))
    try:
        with pytest.raises(KeyboardInterrupt):
            write_into(tmp_path / "some" / "orders")
    finally:
        signal.signal(number, before)
    assert os.listdir(tmp_path) == []


def _made_then_signalled(parent: Path, number: signal.Signals) -> str:
    stage = parent / "stage"
    stage.mkdir()
    signal.raise_signal(number)
    return str(stage)


@pytest.mark.parametrize("dest", ["/proc/orders", "README.md/orders", "o" * 300], ids=["proc", "below-a-file", "long"])
def test_a_place_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dest: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("README.md").touch()
    with pytest.raises(DestinationError, match="Cannot write") as caught:
        check_vacant(Path(dest), list)
        write_into(Path(dest))
    assert caught.value.why
    assert os.listdir() == ["README.md"]


def test_what_the_project_has_too_is_listed_first(tmp_path: Path) -> None:
    for name in ["README.md", "aaa.txt", "pyproject.toml"]:
        (tmp_path / name).touch()
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path, lambda: [Path("README.md"), Path("app/main.py"), Path("pyproject.toml")])
    assert caught.value.why.splitlines() == [
        "It holds 2 files that the project also has: README.md, pyproject.toml",
        "It also holds: aaa.txt",
    ]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}").touch()
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path, list)
    assert caught.value.why.endswith("10, 11 and 8 more")


@pytest.mark.parametrize("source", ["gh:bgtasks/bgtasks", "https://github.com/bgtasks/bgtasks.git"])
def test_a_project_of_ours_is_told_of_the_update(tmp_path: Path, source: str) -> None:
    (tmp_path / ".copier-answers.yml").write_text(f"_src_path: {source}\n")
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path, list)
    assert "bgtasks project" in caught.value.why
    assert caught.value.hint.endswith(f"or run `bgtasks update {tmp_path}`")


@pytest.mark.parametrize("content", ["_src_path: gh:other/template\n", "[1, 2]", "{", "\x00"])
def test_another_answers_file_is_just_something_in_the_way(tmp_path: Path, content: str) -> None:
    (tmp_path / ".copier-answers.yml").write_text(content)
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path, list)
    assert caught.value.why == "It holds: .copier-answers.yml"


def test_a_symbolic_link_is_refused_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path / "link", list)
    assert caught.value.why == "It is a symbolic link to `real`"


def test_a_file_is_refused_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "orders").touch()
    with pytest.raises(DestinationError) as caught:
        check_vacant(tmp_path / "orders", list)
    assert caught.value.why == "It is a file"
