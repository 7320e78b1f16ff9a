"""Quarters: three reports side by side, then one job that adds them up."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response, status
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from app.api.jobs import accepted
from app.jobs import Job
from app.jobs.flow import Step, chord
from app.tasks.quarters import months_of, quarter_path, total_quarter
from app.tasks.reports import build_report

router = APIRouter(prefix="/quarters", tags=["quarters"])


class QuarterOrder(BaseModel):
    """What is added up."""

    year: int = Field(ge=2000, le=2100)
    quarter: int = Field(ge=1, le=4)
    rows: int = Field(default=20_000, ge=1, le=1_000_000, description="of each month")


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def order(
    wanted: QuarterOrder, response: Response, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Job:
    """Build the reports of three months, then add them up; the answer is the job that comes last."""
    months = months_of(wanted.year, wanted.quarter)
    reports = [Step(build_report, month, wanted.rows) for month in months]
    total = Step(total_quarter, f"{wanted.year}-Q{wanted.quarter}", months)
    return accepted(await chord(reports, total, idempotency_key=idempotency_key), response)


@router.get("/{job_id}/file")
async def download(job_id: str) -> FileResponse:
    """Return the finished quarter."""
    path = quarter_path(job_id)
    if not path.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"No quarter yet; see /jobs/{job_id}")
    return FileResponse(path, media_type="text/csv", filename=path.name)
