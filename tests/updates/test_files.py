"""What becomes of the files that the user, the template, or both have changed."""

import os
from pathlib import Path

import pytest

from bgtasks.update.trees import read_tree
from updates.project import Shop, line, new
from updates.versions import SECOND

# What Copier's own update does to each of these is in docs/decisions/0014-update-by-our-own-merge.md.


def test_an_untouched_project_becomes_the_new_release(shop: Shop, tmp_path: Path) -> None:
    result = shop.update("--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    assert shop.content() == new(tmp_path / "new", "--set", "project_name=shop").content()
    assert shop.recorded()["_commit"] == "v0.2.0"


def test_an_edit_elsewhere_in_a_file_is_merged(shop: Shop) -> None:
    shop.replace("text.txt", *line(9, "of mine"))
    assert shop.update("--yes").exit_code == 0
    assert "line 2 of the template\n" in shop.read("text.txt")
    assert "line 9 of mine\n" in shop.read("text.txt")


@pytest.mark.parametrize("number", [2, 3], ids=["same line", "next line"])
def test_an_edit_in_the_same_place_is_marked_and_listed(shop: Shop, number: int) -> None:
    shop.replace("text.txt", *line(number, "of mine"))
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "text.txt: you and the template both changed it, in the same place" in result.stdout
    assert "<<<<<<< yours\n" in shop.read("text.txt")
    assert ">>>>>>> bgtasks 0.2.0\n" in shop.read("text.txt")
    assert f"line {number} of mine\n" in shop.read("text.txt")
    assert shop.recorded()["_commit"] == "v0.2.0"


def test_an_edit_goes_along_when_the_template_renames_the_file(shop: Shop) -> None:
    shop.replace("old_name.txt", *line(9, "of mine"))
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert "renamed line 9 of mine\n" in shop.read("new_name.txt")
    assert "renamed line 2 of the template\n" in shop.read("new_name.txt")
    assert not (shop / "old_name.txt").exists()
    assert "old_name.txt is new_name.txt now; what you changed in it went along" in result.stdout


def test_an_edited_file_that_the_template_drops_stays(shop: Shop) -> None:
    shop.replace("dropped.txt", *line(9, "of mine"))
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert "dropped line 9 of mine\n" in shop.read("dropped.txt")
    assert "dropped.txt is no longer part of the template; it stays, because you changed it" in result.stdout


def test_a_binary_file_that_both_changed_stays_and_the_templates_lies_beside_it(shop: Shop) -> None:
    shop.write("logo.bin", b"\x00mine")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert (shop / "logo.bin").read_bytes() == b"\x00mine"
    assert (shop / "logo.bin.bgtasks-new").read_bytes() == SECOND["logo.bin"]
    assert (
        "logo.bin: you and the template both changed it, and it is no text: yours stays, the template's is in logo"
        in (result.stdout)
    )


def test_no_update_of_a_binary_file_happens_without_a_new_release(shop: Shop) -> None:
    shop.write("logo.bin", b"\x00mine")
    result = shop.update("--yes", "--to", "0.1.0")
    assert (result.exit_code, result.stdout) == (0, "shop is up to date with bgtasks 0.1.0: 0 changed\n")
    assert (shop / "logo.bin").read_bytes() == b"\x00mine"


def test_an_ignored_file_in_conflict_is_left_alone(shop: Shop) -> None:
    shop.commit()
    shop.replace("gen.env", "A=1", "A=secret")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert shop.read("gen.env") == "A=secret\nB=1\n"
    assert shop.read("gen.env.bgtasks-new") == SECOND["gen.env"]
    assert "gen.env: you and the template both changed it" in result.stdout


def test_a_deleted_file_stays_deleted_with_a_note(shop: Shop) -> None:
    (shop / "deleted.txt").unlink()
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert not (shop / "deleted.txt").exists()
    assert "deleted.txt stays deleted; the template has changed it" in result.stdout


def test_a_renamed_file_gets_what_the_template_changed(shop: Shop) -> None:
    (shop / "text.txt").rename(shop / "mine.txt")
    result = shop.update("--yes")
    assert result.exit_code == 0
    assert "line 2 of the template\n" in shop.read("mine.txt")
    assert not (shop / "text.txt").exists()
    assert "mine.txt got what the template changed in text.txt, which you renamed" in result.stdout


def test_a_file_that_both_added_is_marked(shop: Shop) -> None:
    shop.write("added.txt", "added by me\n")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert {"added by me", "added by the template", "======="} <= set(shop.read("added.txt").splitlines())
    assert "added.txt: you and the template both added it" in result.stdout


def test_a_file_that_both_added_alike_is_no_conflict(shop: Shop) -> None:
    shop.write("added.txt", str(SECOND["added.txt"]))
    assert shop.update("--yes").exit_code == 0


def test_a_file_with_crlf_is_merged_and_keeps_it(shop: Shop) -> None:
    shop.replace("text.txt", *line(9, "of mine"))
    shop.write("text.txt", shop.read("text.txt").replace("\n", "\r\n"))
    assert shop.update("--yes").exit_code == 0
    merged = (shop / "text.txt").read_bytes()
    assert b"line 2 of the template\r\n" in merged
    assert b"line 9 of mine\r\n" in merged
    assert merged.count(b"\n") == merged.count(b"\r\n")


def test_an_answers_file_with_crlf_keeps_it(shop: Shop) -> None:
    shop.write(".copier-answers.yml", shop.read(".copier-answers.yml").replace("\n", "\r\n"))
    assert shop.update("--yes").exit_code == 0
    assert b"_commit: v0.2.0\r\n" in (shop / ".copier-answers.yml").read_bytes()


def test_an_executable_bit_of_the_template_arrives_and_one_of_the_users_stays(shop: Shop) -> None:
    (shop / "text.txt").chmod(0o755)
    (shop / "run.sh").chmod(0o600)
    assert shop.update("--yes").exit_code == 0
    assert (shop / "text.txt").stat().st_mode & 0o777 == 0o755
    assert (shop / "run.sh").stat().st_mode & 0o777 == 0o700


def test_a_template_that_cannot_be_rendered_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgtasks.releases.__version__", "0.3.0")
    shop.replace("text.txt", *line(9, "of mine"))
    before = shop.content()
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "error: Cannot render the template" in result.stderr
    assert shop.content() == before


# Paths in each other's way


def test_a_file_that_both_renamed_keeps_the_users_name_and_is_a_conflict(shop: Shop) -> None:
    (shop / "old_name.txt").rename(shop / "my_name.txt")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "my_name.txt: it was old_name.txt: you renamed it so, and the template to new_name.txt" in result.stdout
    assert "renamed line 2 of the template\n" in shop.read("my_name.txt")
    assert not (shop / "new_name.txt").exists()


def test_a_file_that_both_renamed_alike_is_no_conflict(shop: Shop) -> None:
    (shop / "old_name.txt").rename(shop / "new_name.txt")
    assert shop.update("--yes").exit_code == 0
    assert "renamed line 2 of the template\n" in shop.read("new_name.txt")


def test_a_file_of_the_users_where_the_template_renames_to_stays(shop: Shop) -> None:
    shop.write("new_name.txt", "mine\n")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert shop.read("new_name.txt") == "mine\n"
    assert "renamed line 2 of the template\n" in shop.read("old_name.txt")
    assert "old_name.txt: the template renames it to new_name.txt, where something of yours is" in result.stdout


def test_a_file_can_become_a_folder_and_a_folder_a_file(shop: Shop) -> None:
    assert shop.update("--yes").exit_code == 0
    assert (shop.read("file_to_folder/part.txt"), shop.read("folder_to_file")) == ("part\n", "now a file\n")


def test_an_edited_file_where_a_folder_should_be_stays(shop: Shop) -> None:
    shop.replace("file_to_folder", *line(9, "of mine"))
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "shape line 9 of mine\n" in shop.read("file_to_folder")
    assert shop.read("file_to_folder.bgtasks-new/part.txt") == "part\n"
    assert "file_to_folder/part.txt: the template adds it, but `file_to_folder` is a file of yours" in result.stdout


def test_a_folder_with_own_files_where_a_file_should_be_stays(shop: Shop) -> None:
    shop.write("folder_to_file/mine.txt", "mine\n")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert shop.read("folder_to_file/mine.txt") == "mine\n"
    assert shop.read("folder_to_file.bgtasks-new") == "now a file\n"
    assert "folder_to_file: you and the template both added it, and yours is a directory" in result.stdout


def test_a_symbolic_link_in_place_of_a_file_stays_and_is_not_followed(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("outside\n")
    (shop / "text.txt").unlink()
    (shop / "text.txt").symlink_to(tmp_path / "outside.txt")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert (shop / "text.txt").readlink() == tmp_path / "outside.txt"
    assert (tmp_path / "outside.txt").read_text() == "outside\n"
    assert shop.read("text.txt.bgtasks-new") == SECOND["text.txt"]


def test_a_symbolic_link_stays_where_the_template_renames_what_it_stands_for(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("outside\n")
    (shop / "old_name.txt").unlink()
    (shop / "old_name.txt").symlink_to(tmp_path / "outside.txt")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert (shop / "old_name.txt").readlink() == tmp_path / "outside.txt"
    assert shop.read("old_name.txt.bgtasks-new") == SECOND["new_name.txt"]
    assert "old_name.txt: the template renames it to new_name.txt, and yours is a symbolic link" in result.stdout


def test_a_symbolic_link_in_place_of_a_folder_stays_and_is_not_followed(shop: Shop, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (shop / "ops").rename(outside)
    (shop / "ops").symlink_to(outside)
    before = read_tree(outside)
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert read_tree(outside) == before
    assert shop.read("ops.bgtasks-new/two.conf") == "two\n"
    assert "ops/one.conf stays deleted; the template has changed it" in result.stdout


def test_a_pipe_in_place_of_a_file_is_not_read(shop: Shop) -> None:
    (shop / "text.txt").unlink()
    os.mkfifo(shop / "text.txt")
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert (shop / "text.txt").is_fifo()
    assert shop.read("text.txt.bgtasks-new") == SECOND["text.txt"]


def test_a_file_beyond_any_template_is_not_read(shop: Shop) -> None:
    os.truncate(shop / "text.txt", 10**12)
    result = shop.update("--yes")
    assert result.exit_code == 1
    assert "File too large" in result.stderr
    assert shop.recorded()["_commit"] == "v0.1.0"
