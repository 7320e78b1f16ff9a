"""Reports: order one, download it when its job is done."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response, status
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from app.api.jobs import accepted
from app.jobs import Job, enqueue
from app.tasks.reports import build_report, report_path

router = APIRouter(prefix="/reports", tags=["reports"])


class ReportOrder(BaseModel):
    """What the report covers."""

    month: date
    rows: int = Field(default=20_000, ge=1, le=1_000_000)


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def order(
    wanted: ReportOrder, response: Response, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Job:
    """Build the report in the background."""
    month = wanted.month.strftime("%Y-%m")
    return accepted(await enqueue(build_report, month, wanted.rows, idempotency_key=idempotency_key), response)


@router.get("/{job_id}/file")
async def download(job_id: str) -> FileResponse:
    """Return the finished report."""
    path = report_path(job_id)
    if not path.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"No report yet; see /jobs/{job_id}")
    return FileResponse(path, media_type="text/csv", filename=path.name)
