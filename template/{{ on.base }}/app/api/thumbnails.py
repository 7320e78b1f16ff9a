"""Thumbnails: upload an image, fetch the small one when its job is done."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response, UploadFile, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from app.api.jobs import accepted
from app.jobs import Job, enqueue
from app.tasks.thumbnails import make_thumbnail, store_upload, thumbnail_path

router = APIRouter(prefix="/thumbnails", tags=["thumbnails"])

_MAX_BYTES = 20_000_000


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def upload(
    image: UploadFile, response: Response, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Job:
    """Keep the image and shrink it in the background."""
    if (image.size or 0) > _MAX_BYTES:
        raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"The image is larger than {_MAX_BYTES} bytes")
    name = await run_in_threadpool(store_upload, image.file)
    return accepted(await enqueue(make_thumbnail, name, idempotency_key=idempotency_key), response)


@router.get("/{job_id}/image")
async def download(job_id: str) -> FileResponse:
    """Return the thumbnail."""
    path = thumbnail_path(job_id)
    if not path.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"No thumbnail yet; see /jobs/{job_id}")
    return FileResponse(path, media_type="image/png", filename=path.name)
