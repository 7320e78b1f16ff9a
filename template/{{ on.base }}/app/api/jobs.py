"""Jobs: what became of each, live; cancel one, retry a dead letter."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response, status
from fastapi.responses import FileResponse, StreamingResponse

from app.jobs import Job, JobState, cancel_job, get_job, list_jobs, retry_job

router = APIRouter(prefix="/jobs", tags=["jobs"])

_PAGE = Path(__file__).parent / "jobs.html"
_LOOK_EVERY_S = 0.5


def accepted(job: Job, response: Response) -> Job:
    """Answer 202 with the place where the job can be watched."""
    response.status_code = status.HTTP_202_ACCEPTED
    response.headers["Location"] = f"/jobs/{job.id}"
    return job


@router.get("", response_model_exclude={"args", "result"})
async def list_latest(state: JobState | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Job]:
    """Return the jobs that changed last, of one state or of all, without what they carry."""
    return await list_jobs(state, limit)


@router.get("/ui", include_in_schema=False)
async def page() -> FileResponse:
    """Show the jobs live."""
    return FileResponse(_PAGE)


@router.get("/{job_id}")
async def show(job_id: str) -> Job:
    """Return the job."""
    return _known(await get_job(job_id))


@router.get("/{job_id}/events")
async def watch(job_id: str) -> StreamingResponse:
    """Stream the job as server-sent events, one for each change, until it is final."""
    job = _known(await get_job(job_id))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(job), media_type="text/event-stream", headers=headers)


@router.delete("/{job_id}", status_code=status.HTTP_202_ACCEPTED)
async def cancel(job_id: str) -> Job:
    """Cancel the job: a waiting one never starts, a running one is asked to stop."""
    return _known(await cancel_job(job_id))


@router.post("/{job_id}/retry")
async def retry(job_id: str, response: Response) -> Job:
    """Queue a dead letter again, with all its tries."""
    job = _known(await get_job(job_id))
    if job.state is not JobState.FAILED:
        raise HTTPException(status.HTTP_409_CONFLICT, f"The job is {job.state}; only a failed one can be retried")
    return accepted(_known(await retry_job(job_id)), response)


async def _events(job: Job) -> AsyncIterator[str]:
    shown, current = None, job
    while True:
        if current != shown:
            shown = current
            yield f"event: {current.state}\ndata: {current.model_dump_json()}\n\n"
        if current.state.final:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
        found = await get_job(job.id)
        if found is None:
            return
        current = found


def _known(job: Job | None) -> Job:
    if job is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No such job, or it is past its retention")
    return job
