"""Plain `copier update` works on a project of ours, and `bgtasks update` on one that Copier has made."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgtasks.releases import SOURCE
from updates.project import Shop, line, new

PUBLIC = "https://github.com/bgtasks/bgtasks.git"  # what Copier makes of SOURCE
Copier = Callable[..., None]


@pytest.fixture(scope="module")
def repository(versions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two releases as tags of a repository, as the public one has them."""
    repository = Shop(tmp_path_factory.mktemp("public") / "bgtasks")
    repository.root.mkdir()
    repository.git("init", "--quiet")
    for version in ("0.1.0", "0.2.0"):
        for entry in repository.root.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.copytree(versions[version], repository.root, dirs_exist_ok=True)
        if version == "0.2.0":  # Copier cannot turn a folder into a file, nor the other way round
            (repository / "template/{{ on.base }}/folder_to_file").unlink()
            (repository / "template/{{ on.base }}/file_to_folder/part.txt").unlink()
        repository.git("add", "--all", "--force")
        repository.git("commit", "--quiet", "--message", version)
        repository.git("tag", f"v{version}")
    return repository.root


@pytest.fixture
def copier(repository: Path, tmp_path: Path) -> Copier:
    """Run plain Copier, which finds that repository where the public one would be."""
    settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": PUBLIC,
    }
    env = {**os.environ, **settings, "COPIER_CACHE_DIR": str(tmp_path / "cache")}

    def run(*words: str, cwd: Path) -> None:
        command = [sys.executable, "-m", "copier", *words, "--defaults", "--quiet"]
        done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


def test_what_copier_has_made_is_updated_by_us(small: None, copier: Copier, tmp_path: Path) -> None:  # noqa: ARG001
    copier("copy", "--vcs-ref", "v0.1.0", SOURCE, "shop", cwd=tmp_path)
    shop = Shop(tmp_path / "shop")
    shop.replace("text.txt", *line(9, "of mine"))
    assert shop.update("--yes").exit_code == 0
    assert {"line 2 of the template", "line 9 of mine"} <= set(shop.read("text.txt").splitlines())
    shop.replace("text.txt", *reversed(line(9, "of mine")))
    assert shop.content() == new(tmp_path / "new", "--set", "project_name=shop").content()


@pytest.mark.parametrize("renders", ["made", "updated"])
def test_what_we_have_written_is_updated_by_copier(shop: Shop, copier: Copier, renders: str) -> None:
    if renders == "updated":
        shop.update("--yes", "--to", "0.1.0", "--set", "cores=4", "--set", "backend=huey")
    shop.replace("text.txt", *line(9, "of mine"))
    shop.commit()
    copier("update", cwd=shop.root)
    assert {"line 2 of the template", "line 9 of mine"} <= set(shop.read("text.txt").splitlines())
    assert shop.recorded()["_commit"] == "v0.2.0"
    assert shop.read("docs/decisions/0001-use-huey.md").startswith("# 1. Use Huey")


def test_after_a_change_of_backend_copier_leaves_the_records_alone(shop: Shop, copier: Copier) -> None:
    shop.update("--yes", "--to", "0.1.0", "--set", "backend=backgroundtasks", "--set", "task_loss=acceptable")
    shop.commit()
    records = sorted(os.listdir(shop / "docs/decisions"))
    copier("update", cwd=shop.root)
    assert sorted(os.listdir(shop / "docs/decisions")) == records
    assert "line 2 of the template" in shop.read("text.txt")
    assert shop.update("--check").exit_code == 0


def test_the_template_uses_nothing_of_copier_that_our_update_would_leave_out(versions: dict[str, Path]) -> None:
    config = (versions["0.1.0"] / "copier.yml").read_text()  # a copy of the real one
    ignored = ("_tasks", "_migrations", "_skip_if_exists", "_message_", "_envops", "_jinja_extensions", "_preserve")
    assert [key for key in ignored if key in config] == []
