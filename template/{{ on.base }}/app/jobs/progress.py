"""What a task may ask about its own run."""

from app.jobs.record import Job
from app.jobs.run import current_run


def report_progress(done: int, total: int) -> None:
    """Tell those who watch how far the job is; cheap enough for every item of a loop."""
    run = current_run.get(None)
    if run is not None:
        run.progress = min(done / total, 1.0) if total else 1.0


def this_job() -> Job | None:
    """Return the job that runs here, or None when the function was called directly."""
    run = current_run.get(None)
    return run.job if run is not None else None
