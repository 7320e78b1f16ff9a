"""Releases as data: cutting one, many of them in little room, and what is recorded being what was released."""

import random
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from bgtasks import __version__
from bgtasks.archive import Archive, joined, load, save, snapshot
from bgtasks.releases import order, recorded
from conftest import ROOT

TODAY = f"{date.today():%Y-%m-%d}"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Template\n\n- Something better.\n"


@pytest.fixture
def checkout(versions: dict[str, Path], tmp_path: Path) -> Path:
    """A checkout with the small template, in which nothing was released yet."""
    root = tmp_path / "checkout"
    shutil.copytree(versions["0.1.0"], root)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "src/bgtasks").mkdir(parents=True)
    (root / "src/bgtasks/__init__.py").write_text('__version__ = "0.1.0.dev0"\n')
    return root


def release(checkout: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/release.py"), version, "--root", str(checkout)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def change(checkout: Path) -> None:
    """Change the template, and say so."""
    readme = checkout / "template/{{ on.base }}/README.md.jinja"
    readme.write_text(readme.read_text() + "More.\n")
    text = (checkout / "CHANGELOG.md").read_text()
    (checkout / "CHANGELOG.md").write_text(
        text.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Template\n\n- More.\n", 1)
    )


def test_a_release_is_recorded_versioned_and_dated(checkout: Path) -> None:
    done = release(checkout, "0.1.0")
    assert (done.returncode, done.stderr) == (0, "")
    assert joined([recorded(checkout)]) == snapshot(checkout, "0.1.0")
    assert (checkout / "src/bgtasks/__init__.py").read_text() == '__version__ = "0.1.0"\n'
    heading = f"## [Unreleased]\n\n## [0.1.0] - {TODAY}\n\n### Template\n"
    assert heading in (checkout / "CHANGELOG.md").read_text()


def test_a_second_release_records_only_what_is_new(checkout: Path) -> None:
    release(checkout, "0.1.0")
    before = (checkout / "history/0.1.0.xz").read_bytes()
    change(checkout)
    assert release(checkout, "0.2.0").returncode == 0
    assert (checkout / "history/0.1.0.xz").read_bytes() == before
    assert len(load(checkout / "history/0.2.0.xz").contents) == 1
    assert list(recorded(checkout).members("0.2.0")) == list(snapshot(checkout, "0.2.0").members("0.2.0"))


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9", "0.2", "v0.2.0", "0.2.0.dev0", ""])
def test_a_version_that_does_not_follow_is_refused(checkout: Path, version: str) -> None:
    release(checkout, "0.1.0")
    change(checkout)
    refused = release(checkout, version)
    assert refused.returncode == 1
    assert "later than 0.1.0" in refused.stderr
    assert [path.name for path in (checkout / "history").iterdir()] == ["0.1.0.xz"]


@pytest.mark.parametrize("text, said", [("", "says nothing"), ("### Fixed\n\n- Something.\n", "### Template")])
def test_a_release_without_a_word_on_the_template_is_refused(checkout: Path, text: str, said: str) -> None:
    (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n{text}")
    refused = release(checkout, "0.1.0")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (checkout / "history").exists()


def test_the_same_archive_gives_the_same_bytes_and_the_bytes_the_archive(checkout: Path, tmp_path: Path) -> None:
    archive = snapshot(checkout, "0.1.0")
    for name in ("one", "two"):
        save(archive, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert load(tmp_path / "one") == archive


def test_versions_sort_by_number_and_development_comes_before_its_release() -> None:
    versions = ["0.10.0", "0.2.0", "0.2.0.dev1", "0.2.0.dev0", "nonsense", "1.0.0"]
    assert sorted(versions, key=order) == ["nonsense", "0.2.0.dev0", "0.2.0.dev1", "0.2.0", "0.10.0", "1.0.0"]


def test_the_template_is_that_of_its_release_or_the_version_says_otherwise() -> None:
    """Whoever changes the template after a release sets `__version__` to the next one, with `.dev0`."""
    history = recorded(ROOT)
    if __version__ in history.versions:
        assert list(history.members(__version__)) == list(snapshot(ROOT, __version__).members(__version__))
    assert order(__version__) >= max(map(order, history.versions), default=())


def test_twenty_releases_take_less_than_500_kb(tmp_path: Path) -> None:
    """Each release changes every eighth file of the real template in one place and adds a file."""
    chance, archives = random.Random(20), [snapshot(ROOT, "0.1.0")]  # noqa: S311 - nothing secret is drawn
    for number in range(1, 20):
        last = archives[-1]
        names, contents = dict(last.versions[f"0.{number}.0"]), dict(last.contents)
        for name in chance.sample(sorted(names), len(names) // 8):
            lines = contents[names[name][0]].splitlines(True)
            lines.insert(chance.randrange(len(lines) + 1), f"# {chance.random()}\n".encode() * 3)
            names[name] = f"{number}{name}", False
            contents[f"{number}{name}"] = b"".join(lines)
        archives.append(Archive({f"0.{number + 1}.0": names}, contents))
    save(joined(archives), tmp_path / "releases.xz")
    assert (tmp_path / "releases.xz").stat().st_size < 500_000
