"""Quarters: a job that adds up what three others have found out."""

import csv
from pathlib import Path
from typing import Any

from app.files import final_file, output_path
from app.jobs import task, this_job


@task(name="quarters.total", max_retries=2, retry_on=(OSError,))
def total_quarter(quarter: str, months: list[str], reports: list[dict[str, Any]]) -> dict[str, str | int]:
    """Write the quarter's CSV from the reports of its months, and say what is in it."""
    job = this_job()
    path = quarter_path(job.id if job else quarter)
    totals = [(month, int(report["total_cents"])) for month, report in zip(months, reports, strict=True)]
    return {"file": path.name, "total_cents": write_quarter(path, totals)}


def quarter_path(job_id: str) -> Path:
    """Return where the quarter of this job lies once it is done."""
    return output_path("quarters", f"{job_id}.csv")


def months_of(year: int, quarter: int) -> list[str]:
    """Return the three months of a quarter (1 to 4), as in `2026-10`."""
    return [f"{year}-{month:02}" for month in range(3 * quarter - 2, 3 * quarter + 1)]


def write_quarter(path: Path, totals: list[tuple[str, int]]) -> int:
    """Write month and cents as CSV with their sum at the end, and return the sum."""
    total = sum(cents for _, cents in totals)
    with final_file(path) as part, part.open("w", newline="") as file:
        csv.writer(file).writerows([("month", "cents"), *totals, ("total", total)])
    return total
