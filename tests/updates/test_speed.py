"""What an update of the real template takes: half of Copier's time, few processes, and the same in a large repository.

Measured is processor time of the whole family of processes, the least of some rounds: others use this machine too.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bgtasks import __version__
from bgtasks.releases import SOURCE, order, recorded
from conftest import ROOT
from updates.project import Shop
from updates.test_plain_copier import PUBLIC

OURS = [sys.executable, "-m", "bgtasks"]
BEFORE = max((version for version in recorded(ROOT).versions if version != __version__), key=order)
ROUNDS = 3
FILES_AROUND = 20_000


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A project of the release before, with an edit in two of the files that others are made from."""
    shop = Shop(tmp_path_factory.mktemp("speed") / "shop")
    subprocess.run([*OURS, "new", shop.root, "--defaults", "--quiet", "--release", BEFORE], check=True)
    shop.write("app/observability.py", shop.read("app/observability.py") + "\n\nTEAM = 7\n")
    shop.write("README.md", "Ask Kim first.\n\n" + shop.read("README.md"))
    (shop / "load/locustfile.py").rename(shop / "load/users.py")
    shop.commit()
    return shop


@pytest.fixture(scope="module")
def monorepo(project: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same project in a repository with 20 000 other files."""
    whole = Shop(tmp_path_factory.mktemp("monorepo"))
    for number in range(FILES_AROUND):
        whole.write(f"other/{number % 200}/{number}.txt", f"{number}\n")
    shutil.copytree(project.root, whole / "shop", ignore=shutil.ignore_patterns(".git"))
    whole.commit()
    return whole


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository in which plain Copier finds the release before, and this checkout as the next one."""
    shop = Shop(tmp_path_factory.mktemp("public") / "bgtasks")
    history = {member.name: member.content for member in recorded(ROOT).members(BEFORE)}
    for name, content in history.items():
        shop.write(name, content)
    shop.commit()
    shop.git("tag", f"v{BEFORE}")
    for name in history:
        (shop / name).unlink()
    for path in [*ROOT.glob("*.jinja"), ROOT / "copier.yml", ROOT / "matrix.yml"]:
        shutil.copy(path, shop.root)
    for name in ("pins", "template"):
        shutil.copytree(ROOT / name, shop / name, dirs_exist_ok=True)
    shop.commit()
    shop.git("tag", f"v{__version__.partition('.dev')[0]}")
    return shop.root


def processor_s(words: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None) -> float:
    """Run a command that succeeds, and give its processor time with that of all that it starts."""
    before = os.times()
    done = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    after = os.times()
    assert done.returncode == 0, done.stderr
    return after.children_user + after.children_system - before.children_user - before.children_system


def least(rounds: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(min(side) for side in zip(*rounds, strict=True))


@pytest.mark.speed
def test_it_takes_at_most_half_of_what_copier_takes(project: Shop, public: Path, tmp_path: Path) -> None:
    settings = {"GIT_CONFIG_KEY_0": f"url.{public}.insteadOf", "GIT_CONFIG_VALUE_0": PUBLIC, "GIT_CONFIG_COUNT": "1"}
    env = {**os.environ, **settings, "COPIER_CACHE_DIR": str(tmp_path / "cache")}
    assert project.recorded()["_src_path"] == SOURCE

    def once(number: int) -> tuple[float, float]:
        sides = [Shop(shutil.copytree(project.root, tmp_path / f"{number}" / name)) for name in ("ours", "copiers")]
        taken = (
            processor_s([*OURS, "update", "--yes"], sides[0].root),
            processor_s([sys.executable, "-m", "copier", "update", "--defaults", "--quiet"], sides[1].root, env),
        )
        assert [side.recorded()["_commit"] for side in sides] != [project.recorded()["_commit"]] * 2
        return taken

    ours, copiers = least(once(number) for number in range(ROUNDS))
    assert ours <= copiers / 2, f"{ours:.2f} s and {copiers:.2f} s"


@pytest.mark.speed
def test_a_large_repository_around_it_costs_less_than_half_again(project: Shop, monorepo: Shop) -> None:
    sides = (project.root, monorepo / "shop")
    rounds = [
        tuple(processor_s([*OURS, "update", "--dry-run", "--set", "cores=4"], root) for root in sides)
        for _ in range(ROUNDS)
    ]
    alone, around = least(rounds)
    assert around < alone * 1.5, f"{alone:.2f} s alone, {around:.2f} s in the repository"


def test_git_is_started_a_few_times_whatever_is_around(project: Shop, monorepo: Shop, tmp_path: Path) -> None:
    """To find and read the repository, to find renames, and for each text that both sides changed: no more."""
    counter = tmp_path / "bin/git"
    counter.parent.mkdir()
    counter.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexec {shutil.which("git")} "$@"\n')
    counter.chmod(0o755)
    env = {**os.environ, "PATH": f"{counter.parent}:{os.environ['PATH']}"}
    calls = []
    for root in (project.root, monorepo / "shop"):
        processor_s([*OURS, "update", "--dry-run", "--set", "cores=4"], root, env)
        calls.append([re.sub(r"-c \S+ ", "", call) for call in (tmp_path / "calls").read_text().splitlines()])
        (tmp_path / "calls").unlink()
    assert calls[0] == calls[1]
    others = [call for call in calls[0] if not call.startswith("merge-file")]
    assert len(others) <= 10, others


def test_copier_is_not_loaded_to_see_whether_there_is_something_to_do(project: Shop) -> None:
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from bgtasks.__main__ import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "update", project.root, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert {"yaml", "bgtasks.update.target"} <= set(done.stdout.split())
    assert {"copier", "questionary", "jinja2_ansible_filters"} & set(done.stdout.split()) == set()
