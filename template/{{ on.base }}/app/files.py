"""Files that jobs read and write; several hosts need the same directory mounted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from app.settings import get_settings


def output_path(kind: str, name: str) -> Path:
    """Return where the file of this kind lies; `name` comes from outside and stays a plain name."""
    return get_settings().data_dir / kind / Path(name).name


@contextmanager
def final_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; the file appears under `path` only when it is whole.

    A job may run twice, also at the same time, so readers never see half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
