"""The reference pages of matrix and questions are those that the files make."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"


def reference(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "reference.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_committed_pages_are_up_to_date() -> None:
    checked = reference("--check")

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["matrix.md", "questions.md"])
def test_a_stale_page_fails_the_check_and_is_written_anew(tmp_path: Path, name: str) -> None:
    shutil.copytree(PAGES, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_text("something else")

    checked = reference("--check", "--pages", str(tmp_path))
    assert (checked.returncode, checked.stdout) == (1, f"{name} is stale: run `python scripts/reference.py`\n")

    assert reference("--pages", str(tmp_path)).stdout == f"wrote {name}\n"
    assert (tmp_path / name).read_text() == (PAGES / name).read_text()
