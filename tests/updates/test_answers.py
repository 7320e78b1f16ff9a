"""What a project becomes: releases, answers, backends, and answers files that nobody should trust."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bgtasks.cli import app
from updates.project import Shop, line, new

UNDEMANDING = ["--set", "task_loss=acceptable"]


@pytest.fixture
def lossy(small: None, tmp_path: Path) -> Shop:  # noqa: ARG001 - the release has to be installed first
    """A project of this release on BackgroundTasks, with a task and a route of the user's."""
    shop = new(tmp_path / "shop", *UNDEMANDING)
    shop.write("app/tasks/mine.py", "mine = 1\n")
    shop.write("app/api/mine.py", "mine = 2\n")
    return shop


def records(shop: Shop) -> list[str]:
    return sorted(os.listdir(shop / "docs/decisions"))


# Answers and backends


def test_a_changed_answer_changes_what_depends_on_it(shop: Shop) -> None:
    shop.update("--yes")
    result = shop.update("--yes", "--set", "cores=8")
    assert result.exit_code == 0
    assert result.stdout.startswith("shop: bgtasks 0.2.0, other answers\n  cores: 2 to 8\n")
    assert "8 cores" in shop.read("README.md")
    assert shop.recorded()["cores"] == 8


def test_a_backend_that_no_longer_fits_gives_way_to_the_recommended_one(lossy: Shop) -> None:
    lossy.replace("docs/decisions/0001-use-backgroundtasks.md", "# 1.", "# My own words on 1.")
    decided = lossy.read("docs/decisions/0001-use-backgroundtasks.md")
    result = lossy.update("--yes", "--set", "task_loss=never")
    assert result.exit_code == 0
    assert "Recommended: Huey" in result.stdout
    assert "The project moves from BackgroundTasks to Huey." in result.stdout
    assert records(lossy) == ["0001-use-backgroundtasks.md", "0002-use-huey.md"]
    assert lossy.read("docs/decisions/0001-use-backgroundtasks.md") == decided
    assert lossy.read("docs/decisions/0002-use-huey.md").startswith("# 2. Use Huey")
    assert sorted(os.listdir(lossy / "app")) == ["api", "huey_queue.py", "tasks"]
    assert (lossy.read("app/tasks/mine.py"), lossy.read("app/api/mine.py")) == ("mine = 1\n", "mine = 2\n")


def test_each_change_of_backend_adds_a_record_with_the_next_free_number(lossy: Shop) -> None:
    lossy.write("docs/decisions/0007-use-postgres.md", "ours\n")
    lossy.update("--yes", "--set", "backend=huey")
    lossy.update("--yes", "--set", "backend=backgroundtasks")
    lossy.update("--yes", "--set", "cores=4")
    assert records(lossy)[1:] == ["0007-use-postgres.md", "0008-use-huey.md", "0009-use-backgroundtasks.md"]
    assert "| cores | 4 |" in lossy.read("docs/decisions/0009-use-backgroundtasks.md")
    assert "| cores | 2 |" in lossy.read("docs/decisions/0001-use-backgroundtasks.md")


def test_an_edited_file_of_the_former_backend_stays_and_goes_into_no_other(lossy: Shop) -> None:
    lossy.replace("app/backgroundtasks_queue.py", "print(3)", "print('mine')")
    result = lossy.update("--yes", "--set", "backend=huey")
    assert "print('mine')" in lossy.read("app/backgroundtasks_queue.py")
    assert "mine" not in lossy.read("app/huey_queue.py")
    assert "app/backgroundtasks_queue.py is no longer part of the template; it stays" in result.stdout


def test_a_backend_that_still_fits_is_not_left_without_a_word(shop: Shop) -> None:
    before = shop.content()
    result = shop.update("--yes", "--set", "infrastructure=redis")
    assert result.exit_code == 1
    assert "`--set backend=huey` to stay with it, or `--set backend=arq` to change" in result.stderr
    assert shop.content() == before


def test_one_that_was_chosen_against_the_advice_stays_while_it_is_possible(small: None, tmp_path: Path) -> None:  # noqa: ARG001
    shop = new(tmp_path / "shop", "--set", "infrastructure=redis", "--set", "backend=celery")
    result = shop.update("--yes", "--set", "code_style=sync")
    assert result.exit_code == 0
    assert "The project stays with Celery." in result.stdout
    assert shop.recorded()["backend"] == "celery"


def test_the_cost_of_a_backend_against_the_advice_is_said(lossy: Shop) -> None:
    result = lossy.update("--yes", "--set", "infrastructure=redis", "--set", "backend=celery")
    assert result.exit_code == 0
    assert "  Against the recommendation: Celery has the most to operate" in result.stdout


def test_answers_that_contradict_each_other_change_nothing(lossy: Shop) -> None:
    before = lossy.content()
    result = lossy.update("--yes", "--set", "task_loss=never", "--set", "backend=backgroundtasks")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "contradicts task_loss=never" in result.stderr
    assert lossy.content() == before


def test_answers_come_from_a_file_too(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("cores: 3\nmemory: image\n")
    assert shop.update("--yes", "--answers", str(tmp_path / "answers.yml"), "--set", "cores=5").exit_code == 0
    assert (shop.recorded()["cores"], shop.recorded()["memory"]) == (5, "image")


# Releases


def test_a_project_that_is_up_to_date_is_not_touched(shop: Shop) -> None:
    shop.update("--yes")
    before = shop.times()
    result = shop.update("--yes")
    assert (result.exit_code, result.stdout) == (0, "shop is up to date with bgtasks 0.2.0: 0 changed\n")
    assert shop.times() == before


def test_an_update_moves_no_mtime_of_what_it_does_not_change(shop: Shop) -> None:
    before = shop.times()
    shop.update("--yes")
    after = shop.times()
    assert after[str(shop / "same.txt")] == before[str(shop / "same.txt")]
    assert after[str(shop / "text.txt")] != before[str(shop / "text.txt")]


def test_check_says_by_its_exit_code_whether_the_project_is_behind(shop: Shop) -> None:
    before = shop.content()
    behind = shop.update("--check")
    assert (behind.exit_code, behind.stdout) == (1, "shop is at bgtasks 0.1.0, behind 0.2.0: run `bgtasks update`\n")
    assert shop.content() == before
    shop.update("--yes")
    assert (shop.update("--check").exit_code, shop.update("--check", "--set", "cores=8").exit_code) == (0, 1)


def test_diff_prints_a_patch_that_does_the_same(shop: Shop) -> None:
    shop.commit()
    patch = shop.update("--diff")
    assert patch.exit_code == 0
    (shop.root.parent / "patch").write_bytes(patch.stdout_bytes)
    before = shop.git("status", "--porcelain")
    shop.git("apply", "../patch")
    patched = shop.content()
    shop.git("checkout", "--quiet", ".")
    shop.git("clean", "--quiet", "--force", "-d")
    assert (before, shop.update("--yes").exit_code) == ("", 0)
    assert shop.content() == patched


def test_a_patch_stands_alone_on_stdout_and_its_conflicts_on_stderr(shop: Shop) -> None:
    shop.replace("text.txt", *line(2, "of mine"))
    patch = shop.update("--diff")
    assert patch.exit_code == 1
    assert patch.stdout.startswith("diff --git ")
    assert "  text.txt: you and the template both changed it, in the same place\n" in patch.stderr
    shop.update("--yes")
    nothing = shop.update("--diff")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "")


def test_a_dry_run_says_what_the_run_then_does(shop: Shop) -> None:
    before = shop.content()
    dry = shop.update("--dry-run")
    assert (dry.exit_code, shop.content()) == (0, before)
    assert shop.update("--yes").stdout.startswith(dry.stdout)
    assert "\n  add      added.txt\n" in dry.stdout
    assert "\n  remove   dropped.txt\n" in dry.stdout
    assert "\n  change   text.txt\n" in dry.stdout


def test_without_a_terminal_somebody_has_to_say_yes(shop: Shop) -> None:
    before = shop.content()
    result = shop.update()
    assert result.exit_code == 1
    assert "Add `--yes` to write it, or `--dry-run` to see it only" in result.stderr
    assert shop.content() == before


@pytest.mark.parametrize(
    "to, said",
    [("0.0.9", "0.0.9 is no release"), ("v9.0.0", "9.0.0 is no release"), ("0.1.0", "comes before 0.2.0")],
)
def test_an_update_leads_to_a_later_release_that_is_known(shop: Shop, to: str, said: str) -> None:
    shop.update("--yes")
    result = shop.update("--yes", "--to", to)
    assert result.exit_code == 1
    assert said in result.stderr
    assert shop.recorded()["_commit"] == "v0.2.0"


@pytest.mark.parametrize(
    "version, hint",
    [
        ("v9.0.0", "pip install --upgrade bgtasks"),
        ("v0.2.1.dev0", "Install a bgtasks that knows it"),
        ("v0.1.0-3-gabcdef", "Install a bgtasks that knows it"),
        ("deadbeef", "Write the release there"),
        ("--upload-pack=touch", "Write the release there"),
        ("../../etc", "Write the release there"),
        ("[v0.1.0]", "Write the release there"),
        ("", "Write the release there"),
    ],
)
def test_a_release_that_is_not_known_is_named_and_nothing_is_done(shop: Shop, version: str, hint: str) -> None:
    shop.replace(".copier-answers.yml", "_commit: v0.1.0", f"_commit: {version}")
    before = shop.content()
    result = shop.update("--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert hint in result.stderr
    assert shop.content() == before


# The answers file


def test_an_answers_file_in_conflict_has_to_be_resolved_first(shop: Shop) -> None:
    shop.replace(".copier-answers.yml", "cores: 2", "<<<<<<< HEAD\ncores: 2\n=======\ncores: 4\n>>>>>>> other")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "hint: Resolve the conflict in it" in result.stderr


def test_an_edit_by_hand_is_refused_with_the_command_that_makes_it(shop: Shop) -> None:
    shop.commit()
    shop.replace(".copier-answers.yml", "cores: 2", "cores: 4")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "  cores: 4, was 2\n" in result.stderr
    assert "git checkout .copier-answers.yml`, and let `bgtasks update --set cores=4` make it" in result.stderr


def test_an_update_that_is_not_committed_yet_is_no_edit_by_hand(shop: Shop) -> None:
    shop.commit()
    assert shop.update("--yes", "--to", "0.1.0", "--set", "cores=4").exit_code == 0
    assert shop.update("--yes").exit_code == 0
    assert "4 cores" in shop.read("README.md")


def test_an_edit_by_hand_that_is_no_answer_is_refused(shop: Shop) -> None:
    shop.replace(".copier-answers.yml", "cores: 2", "cores: many")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "error: The answers in `shop/.copier-answers.yml` are not those of a project: `cores` cannot be" in (
        result.stderr
    )


def test_own_lines_in_the_answers_file_are_kept_or_named(shop: Shop) -> None:
    shop.replace(".copier-answers.yml", "cores: 2\n", "# as many as the host has\ncores: 2\nflavour: mint\n")
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert "# as many as the host has\n" in shop.read(".copier-answers.yml") or "# as many as" in result.stdout
    assert "`flavour` is no question of bgtasks 0.1.0; the line is dropped" in result.stdout
    assert shop.recorded()["_commit"] == "v0.2.0"


@pytest.mark.parametrize(
    "content, said",
    [
        ("_src_path: gh:other/template\n_commit: v1.0.0\n", "names another template"),
        ("work: io\n", "names another template"),
        ("_src_path: gh:bgtasks/bgtasks\n", "does not say which release"),
        ("_src_path: gh:bgtasks/bgtasks\n_commit: v0.1.0\nproject_name: ../../x\n", "it is a path"),
        ("_src_path: gh:bgtasks/bgtasks\n_commit: v0.1.0\nbackend: rq\n", "The choices are"),
        ("_src_path: gh:bgtasks/bgtasks\n_commit: v0.1.0\nbackend: '{{ 1 }}'\n", "The choices are"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n_src_path: bgtasks\n", "uses a YAML alias"),
        ("!!python/object/apply:os.system ['touch ran']\n", "is not YAML"),
        ("[" * 50_000, "is not YAML"),
        ("day: 2026-02-31\n", "is not YAML"),
        ("cores: " + "9" * 5000, "is not YAML"),
        ("a: 1\n" * 300_000, "larger than 1 MB"),
        ("\x00", "is not YAML"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_strangers_answers_file_is_one_clear_error(shop: Shop, content: str, said: str) -> None:
    shop.write(".copier-answers.yml", content)
    before = shop.content()
    result = shop.update("--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("error: ") == 1
    assert said in result.stderr
    assert "bug in bgtasks" not in result.stderr
    assert shop.content() == before


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_an_answers_file_that_is_no_file_is_refused(shop: Shop, tmp_path: Path, kind: str) -> None:
    path = shop / ".copier-answers.yml"
    path.rename(tmp_path / "outside.yml")
    make = {"link": lambda: path.symlink_to(tmp_path / "outside.yml"), "directory": path.mkdir}
    make.get(kind, lambda: os.mkfifo(path))()
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "is not a regular file" in result.stderr
    assert "0.1.0" in (tmp_path / "outside.yml").read_text()


def test_what_steers_a_terminal_is_written_out(shop: Shop) -> None:
    shop.write(".copier-answers.yml", '_src_path: bgtasks\n_commit: v0.1.0\n"\\e[2Jfl": mint\nbackend: huey\n')
    result = shop.update("--dry-run")
    assert "\x1b" not in result.output
    assert r"`\x1b[2Jfl` is no question" in result.stdout


def test_new_without_a_terminal_names_the_update_before_it_asks_for_answers(shop: Shop) -> None:
    refused = CliRunner().invoke(app, ["new", str(shop.root)])
    assert refused.exit_code == 1
    assert "It holds a bgtasks project already\n" in refused.stderr
    assert f"run `bgtasks update {shop.root}`" in refused.stderr


@pytest.mark.parametrize("directory", [".", "nowhere", "README.md"])
def test_a_directory_without_a_project_is_refused(shop: Shop, directory: str) -> None:
    result = Shop(shop.root.parent / directory if directory != "README.md" else shop / directory).update("--yes")
    assert result.exit_code == 1
    assert "holds no bgtasks project\n  It has no `.copier-answers.yml`\n" in result.stderr
