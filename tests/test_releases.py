"""The template as data, from the checkout and from the archive of a wheel."""

import os
from pathlib import Path

import pytest

from bgtasks import releases
from bgtasks.errors import RenderError
from bgtasks.releases import pack, template_root
from conftest import ROOT


def listing(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that passes for the installed package, still without an archive."""
    monkeypatch.setattr(releases, "__file__", str(tmp_path / "lib" / "bgtasks" / "releases.py"))
    package = tmp_path / "lib" / "bgtasks"
    package.mkdir(parents=True)
    return package


def test_the_checkout_gives_rules_macros_and_template_but_no_repository(template: Path) -> None:
    assert {"copier.yml", "matrix.yml", "recommend.jinja", "template"} <= set(os.listdir(template))
    assert not {".git", "src", "tests"} & set(os.listdir(template))


def test_an_archive_gives_the_same_files_as_the_checkout(installed: Path, template: Path) -> None:
    pack(template, installed / releases.ARCHIVE)
    with template_root() as unpacked:
        assert listing(unpacked) == listing(template)


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    pack(ROOT, tmp_path / "one")
    pack(ROOT, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_caches_of_tools_stay_out_of_the_archive_and_executables_stay_executable(
    tmp_path: Path, installed: Path
) -> None:
    app = tmp_path / "checkout" / "template" / "app"
    (app / "__pycache__").mkdir(parents=True)
    (app / "__pycache__" / "main.pyc").touch()
    (app / "run").touch(mode=0o755)
    (app / "main.py").touch(mode=0o644)
    pack(tmp_path / "checkout", installed / releases.ARCHIVE)
    with template_root() as root:
        assert sorted(listing(root)) == ["template/app/main.py", "template/app/run"]
        assert [os.access(root / name, os.X_OK) for name in sorted(listing(root))] == [False, True]


def test_nothing_of_the_copy_is_left_afterwards() -> None:
    with template_root() as root:
        assert root.is_dir()
    assert not root.exists()


@pytest.mark.usefixtures("installed")
def test_an_installation_without_template_says_so() -> None:
    with pytest.raises(RenderError, match="carries no template"), template_root():
        pass


def test_no_room_for_the_copy_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(RenderError, match="Cannot unpack") as caught, template_root():
        pass
    assert "No space left on device" in caught.value.why
