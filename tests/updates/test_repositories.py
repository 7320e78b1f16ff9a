"""Where a project lies: in a repository of any kind, in none, or in a stranger's."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from updates.project import Shop, line


@pytest.fixture
def monorepo(shop: Shop) -> Shop:
    """A repository in which the project is one directory, with a neighbour that is not committed."""
    whole = Shop(shop.root.parent)
    whole.write("other/notes.txt", "other\n")
    whole.commit()
    whole.write("other/notes.txt", "being written\n")
    return whole


def test_a_file_with_uncommitted_edits_that_would_change_stops_the_update(shop: Shop) -> None:
    shop.commit()
    shop.replace("text.txt", *line(9, "of mine"))
    before = shop.content()
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "error: Files that would change have edits that are not committed\n  text.txt\n" in result.stderr
    assert shop.content() == before


def test_a_dry_run_names_the_edits_that_would_stop_the_update(shop: Shop) -> None:
    shop.commit()
    shop.replace("text.txt", *line(9, "of mine"))
    dry = shop.update("--dry-run")
    assert dry.exit_code == 0
    assert dry.stderr == "warning: The update would stop at edits that are not committed:\n  text.txt\n"
    assert shop.update("--dry-run", "--force").stderr == ""


def test_force_updates_it_all_the_same(shop: Shop) -> None:
    shop.commit()
    shop.replace("text.txt", *line(9, "of mine"))
    assert shop.update("--yes", "--force").exit_code == 0
    assert "line 9 of mine\n" in shop.read("text.txt")


def test_other_uncommitted_edits_and_new_files_do_not_matter(shop: Shop) -> None:
    shop.commit()
    shop.replace("same.txt", *line(9, "of mine"))
    shop.write("app/mine.py", "mine = 1\n")
    assert shop.update("--yes").exit_code == 0
    assert "line 9 of mine\n" in shop.read("same.txt")


def test_a_repository_without_a_commit_stops_only_for_edited_files(shop: Shop) -> None:
    shop.git("init", "--quiet")
    shop.replace("text.txt", *line(9, "of mine"))
    assert "\n  text.txt\n\nhint: " in shop.update("--yes").stderr
    shop.replace("text.txt", *reversed(line(9, "of mine")))
    assert shop.update("--yes").exit_code == 0


def test_index_configuration_hooks_and_head_stay_as_they_are(shop: Shop) -> None:
    shop.commit()
    hook = shop / ".git/hooks/post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {shop.root.parent}/hooked\n")
    hook.chmod(0o755)
    before = {path: path.read_bytes() for path in (shop / ".git").rglob("*") if path.is_file()}
    assert shop.update("--yes").exit_code == 0
    assert {path: path.read_bytes() for path in (shop / ".git").rglob("*") if path.is_file()} == before
    assert os.listdir(shop.root.parent) == ["shop"]


def test_a_directory_of_a_monorepo_is_updated_alone(monorepo: Shop, shop: Shop) -> None:
    assert shop.update("--yes").exit_code == 0
    assert monorepo.read("other/notes.txt") == "being written\n"
    changed = monorepo.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert {entry[3:].split("/")[0] for entry in changed} == {"other", "shop"}


def test_an_uncommitted_edit_in_a_monorepo_is_seen(monorepo: Shop, shop: Shop) -> None:
    shop.replace("text.txt", *line(9, "of mine"))
    assert "\n  text.txt\n\nhint: " in shop.update("--yes").stderr
    monorepo.commit()
    assert shop.update("--yes").exit_code == 0


@pytest.mark.parametrize(
    "broken, said",
    [
        (lambda git: git.joinpath("config").write_text("[core\n"), "bad config line 1"),
        (
            lambda git: (git.rename(git.parents[1] / "gone"), git.write_text("gitdir: /nowhere\n")),
            "not a git repository: /nowhere",
        ),
    ],
    ids=["configuration", "worktree that is gone"],
)
def test_a_repository_that_git_cannot_read_is_not_taken_for_none(
    shop: Shop, broken: Callable[[Path], object], said: str
) -> None:
    shop.commit()
    before = shop.content()
    broken(shop / ".git")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert said in result.stderr
    assert shop.content() == before


def test_a_worktree_is_a_repository_too(shop: Shop, tmp_path: Path) -> None:
    shop.commit()
    shop.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    tree = Shop(tmp_path / "tree")
    tree.replace("text.txt", *line(9, "of mine"))
    assert "\n  text.txt\n\nhint: " in tree.update("--yes").stderr
    assert tree.update("--yes", "--force").exit_code == 0
    assert "line 2\n" in shop.read("text.txt")


def test_a_submodule_is_a_repository_too(shop: Shop, tmp_path: Path) -> None:
    shop.commit()
    outer = Shop(tmp_path / "outer")
    outer.write("notes.txt", "outer\n")
    outer.commit()
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(shop.root), "inner")
    inner = Shop(outer / "inner")
    inner.replace("text.txt", *line(9, "of mine"))
    assert "\n  text.txt\n\nhint: " in inner.update("--yes").stderr
    assert inner.update("--yes", "--force").exit_code == 0


def test_a_folder_that_became_a_submodule_is_updated_with_the_rest(shop: Shop, tmp_path: Path) -> None:
    (shop / "ops").rename(tmp_path / "ops")
    inner = Shop(tmp_path / "ops")
    inner.commit()
    shop.commit()
    shop.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), "ops")
    shop.commit()
    shop.replace("ops/one.conf", "one line 9\n", "one line 9 of mine\n")
    assert "\n  ops/one.conf\n\nhint: " in shop.update("--yes").stderr
    assert shop.update("--yes", "--force").exit_code == 0
    assert {"one line 2 of the template", "one line 9 of mine"} <= set(shop.read("ops/one.conf").splitlines())


def test_a_project_that_its_repository_ignores_counts_as_outside(shop: Shop) -> None:
    outer = Shop(shop.root.parent)
    outer.write(".gitignore", "/shop/\n")
    outer.commit()
    shop.replace("text.txt", *line(2, "of mine"))
    result = shop.update("--yes")
    assert "in no git repository" in result.stdout
    assert "<<<<<<< yours\n" in shop.read("text.txt")


def test_without_a_repository_the_update_works_and_says_so(shop: Shop) -> None:
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert "The project is in no git repository: only a copy of yours can take the update back." in result.stdout


def test_without_git_nothing_is_written_and_git_is_asked_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.content()
    monkeypatch.setenv("PATH", "")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Cannot update without git")
    assert shop.content() == before


@pytest.mark.parametrize("path", ["", ".", ":bin"])
def test_a_git_that_lies_in_the_project_is_not_run(shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for place in ("git", "bin/git"):
        shop.write(place, f"#!/bin/sh\n: > {shop.root.parent}/ran\n")  # no touch on that PATH
        (shop / place).chmod(0o755)
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("PATH", path)
    assert shop.update("--yes").stderr.startswith("error: Cannot update without git")
    assert not (shop.root.parent / "ran").exists()


def test_a_renamed_file_is_found_without_a_repository_too(shop: Shop) -> None:
    shop.write(".venv/lib/text.txt", shop.read("text.txt"))
    shop.write("deep/er/mine.txt", shop.read("text.txt"))
    (shop / "text.txt").unlink()
    assert shop.update("--yes").exit_code == 0
    assert "line 2 of the template\n" in shop.read("deep/er/mine.txt")
    assert "line 2\n" in shop.read(".venv/lib/text.txt")


def test_a_hook_that_runs_us_does_not_lead_us_into_its_repository(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "outer"], check=True)
    shop.commit()
    shop.replace("text.txt", *line(9, "of mine"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "outer" / ".git"))
    assert "\n  text.txt\n\nhint: " in shop.update("--yes").stderr


@pytest.mark.parametrize(
    "settings",
    [
        "[core]\n\tfsmonitor = {run}\n",
        "[core]\n\thooksPath = {folder}\n",
        '[filter "evil"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n',
        '[diff "evil"]\n\ttextconv = {run}\n\tcommand = {run}\n[merge "evil"]\n\tdriver = {run}\n',
        "[core]\n\tpager = {run}\n\teditor = {run}\n\tsshCommand = {run}\n[pager]\n\tls-files = {run}\n",
        '[extensions]\n\tpartialClone = evil\n[protocol]\n\tallow = always\n[remote "evil"]\n\tpromisor = true\n'
        '\turl = "ext::{run}"\n',
        "[include]\n\tpath = {folder}/more\n",
        "[alias]\n\tls-files = !{run}\n\tls-tree = !{run}\n\trev-parse = !{run}\n",
    ],
    ids=["monitor", "hooks", "filters", "drivers", "pager", "promisor", "include", "aliases"],
)
def test_nothing_that_a_strangers_repository_names_is_run(shop: Shop, tmp_path: Path, settings: str) -> None:
    shop.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    shop.commit()
    folder = tmp_path / "evil"
    folder.mkdir()
    names = ["run", "post-index-change", "pre-auto-gc", "reference-transaction", "fsmonitor-watchman"]
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
        (folder / name).chmod(0o755)
    (folder / "more").write_text(f"[core]\n\tfsmonitor = {folder}/run\n")
    with (shop / ".git/config").open("a") as config:
        config.write(settings.format(run=folder / "run", folder=folder))
    (shop / "text.txt").unlink()
    shop.replace("deleted.txt", *line(2, "of mine"))
    shop.update("--yes", "--force")
    assert "<<<<<<< yours\n" in shop.read("deleted.txt")
    assert not (tmp_path / "ran").exists()


def test_a_missing_object_is_not_fetched(shop: Shop, tmp_path: Path) -> None:
    shop.commit()
    shop.replace("text.txt", *line(9, "of mine"))
    shutil.rmtree(shop / ".git/objects")
    (shop / ".git/objects").mkdir()
    with (shop / ".git/config").open("a") as config:
        config.write(
            '[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\tpromisor = true\n'
            f'\turl = "ext::touch {tmp_path}/ran"\n[protocol "ext"]\n\tallow = always\n'
        )
    shop.git("config", "core.repositoryFormatVersion", "1")
    assert "\n  text.txt\n\nhint: " in shop.update("--yes").stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("listed", ["../private.txt", "{home}/private.txt", ".git/private.txt"])
def test_an_index_that_names_files_elsewhere_leads_nowhere(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    home, scratch = shop.root.parent, tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    listed = listed.format(home=home)
    stand_in = "a" * len(listed)
    (shop / "text.txt").rename(shop / stand_in)
    shop.commit()
    private = (shop / stand_in).rename(home / "private.txt")
    shutil.copy(private, shop / ".git")
    private.chmod(0o600)
    before = private.stat()
    index = (shop / ".git/index").read_bytes()[:-20].replace(stand_in.encode(), listed.encode())
    (shop / ".git/index").write_bytes(index + hashlib.sha1(index).digest())  # noqa: S324 - it is git's own
    assert listed in shop.git("ls-files", "-z").split("\0")
    assert "text.txt stays deleted; the template has changed it" in shop.update("--yes").stdout
    assert (private.stat().st_mode, private.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert (sorted(os.listdir(home)), os.listdir(scratch)) == (["private.txt", "shop"], [])


@pytest.mark.parametrize("name", ["my shop", "bücher-läden", "-shop", "#shop;ls"])
def test_any_name_of_a_directory_will_do(shop: Shop, name: str) -> None:
    root = shop.root.rename(shop.root.with_name(name))
    renamed = Shop(root)
    renamed.commit()
    (root / "old_name.txt").rename(root / "né w name.txt")
    renamed.commit()
    renamed.update("--yes")
    assert "renamed line 2 of the template\n" in renamed.read("né w name.txt")
    assert renamed.recorded()["_commit"] == "v0.2.0"
