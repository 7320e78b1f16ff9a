import csv
from pathlib import Path

from app.tasks.reports import build_report, report_path, write_report


def test_a_report_ends_with_the_total_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    total = write_report(path, "2026-10", 50)
    header, *rows, last = list(csv.reader(path.read_text().splitlines()))
    assert header == ["order", "region", "cents"]
    assert len(rows) == 50
    assert last == ["total", "", str(total)]
    assert sum(int(cents) for _, _, cents in rows) == total


def test_the_same_month_gives_the_same_report() -> None:
    assert build_report("2026-10", 10) == build_report("2026-10", 10)


def test_a_report_leaves_no_half_written_file_beside_it(tmp_path: Path) -> None:
    write_report(tmp_path / "report.csv", "2026-10", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_a_report_cannot_leave_its_directory() -> None:
    assert report_path("../../etc/passwd").parent.name == "reports"
