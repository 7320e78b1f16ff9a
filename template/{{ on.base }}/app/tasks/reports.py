"""Reports: long work that tells how far it is."""

import csv
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from app.files import final_file, output_path
from app.jobs import report_progress, task, this_job

_REGIONS = ("north", "east", "south", "west")


@task(name="reports.build", max_retries=2, retry_on=(OSError,), time_limit=timedelta(minutes=5))
def build_report(month: str, rows: int) -> dict[str, str | int]:
    """Build the sales report of a month (`2026-10`) and say what is in it."""
    job = this_job()
    path = report_path(job.id if job else month)
    return {"file": path.name, "rows": rows, "total_cents": write_report(path, month, rows)}


def report_path(job_id: str) -> Path:
    """Return where the report of this job lies once it is done."""
    return output_path("reports", f"{job_id}.csv")


def write_report(path: Path, month: str, rows: int) -> int:
    """Write the month's sales as CSV with a total at the end, and return the total in cents."""
    total = 0
    with final_file(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("order", "region", "cents"))
        for number, (order, region, cents) in enumerate(sales(month, rows), start=1):
            writer.writerow((order, region, cents))
            total += cents
            report_progress(number, rows)
        writer.writerow(("total", "", total))
    return total


def sales(month: str, rows: int) -> Iterator[tuple[str, str, int]]:
    """Yield (order, region, cents) of the month; the same month gives the same rows."""
    figures = random.Random(month)  # noqa: S311 - figures, not secrets
    for number in range(1, rows + 1):
        yield f"{month}-{number:06}", figures.choice(_REGIONS), figures.randint(100, 99_999)
