import os
from pathlib import Path

from app.tasks.cleanup import remove_older


def test_only_files_past_their_time_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "reports" / "old.csv", tmp_path / "reports" / "new.csv"
    old.parent.mkdir()
    for path, changed in ((old, 1000), (new, 3000)):
        path.touch()
        os.utime(path, (changed, changed))
    assert remove_older(tmp_path, before=2000) == 1
    assert list(old.parent.iterdir()) == [new]
