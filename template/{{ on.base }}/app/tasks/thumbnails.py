"""Thumbnails: work that computes rather than waits."""

import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from app.files import final_file, output_path
from app.jobs import task, this_job

_SIZE = (256, 256)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# 4 bytes a pixel in memory: an image of 500 kB can hold a gigabyte.
_MAX_PIXELS = 25_000_000
_BLOCK = 1 << 20


@task(name="thumbnails.make", max_retries=1, cpu=True)
def make_thumbnail(upload: str) -> dict[str, str | int]:
    """Make the thumbnail of an upload and say how large it became."""
    job = this_job()
    path = thumbnail_path(job.id if job else upload)
    width, height = shrink(output_path("uploads", upload), path)
    return {"file": path.name, "width": width, "height": height}


def thumbnail_path(job_id: str) -> Path:
    """Return where the thumbnail of this job lies once it is done."""
    return output_path("thumbnails", f"{job_id}.png")


def store_upload(upload: BinaryIO) -> str:
    """Keep an uploaded image and return its name: the same image has the same name."""
    digest = hashlib.sha256()
    while block := upload.read(_BLOCK):
        digest.update(block)
    upload.seek(0)
    name = digest.hexdigest()
    with final_file(output_path("uploads", name)) as part, part.open("wb") as file:
        shutil.copyfileobj(upload, file)
    return name


def shrink(source: Path, target: Path) -> tuple[int, int]:
    """Write `source` as PNG within 256 x 256 pixels and return its width and height.

    Raises:
        ValueError: The file is no JPEG, PNG, WebP or GIF, or it holds too many pixels.
    """
    try:
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            image.draft("RGB", _SIZE)  # a JPEG is decoded at the size that is needed
            image.thumbnail(_SIZE)
            small = ImageOps.exif_transpose(image)
            with final_file(target) as part:
                small.save(part, format="PNG")
            return small.size
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"Not an image that can be shrunk: {error}") from error
