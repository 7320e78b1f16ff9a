from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from app.files import output_path
from app.tasks.thumbnails import make_thumbnail, shrink, store_upload, thumbnail_path


def test_a_thumbnail_keeps_proportions_and_colour() -> None:
    content = BytesIO()
    Image.new("RGB", (1000, 500), "red").save(content, format="JPEG")
    content.seek(0)
    upload = store_upload(content)
    assert make_thumbnail(upload)["height"] == 128
    with Image.open(thumbnail_path(upload)) as small:
        assert small.size == (256, 128)
        red, green, blue = small.convert("RGB").getpixel((128, 64))  # type: ignore[misc]  # RGB gives a tuple
        assert red > 240
        assert max(green, blue) < 20


def test_the_same_image_is_kept_once() -> None:
    assert store_upload(BytesIO(b"same")) == store_upload(BytesIO(b"same"))
    assert len(list(output_path("uploads", "x").parent.iterdir())) == 1


def test_what_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not an image")
    with pytest.raises(ValueError, match="Not an image"):
        shrink(tmp_path / "text", tmp_path / "small.png")
    assert not (tmp_path / "small.png").exists()


def test_a_small_file_that_holds_too_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("1", (6000, 6000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match="pixels"):
        shrink(tmp_path / "bomb.png", tmp_path / "small.png")


def test_the_same_upload_twice_at_once_is_whole() -> None:
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(store_upload, [BytesIO(b"same" * 1000) for _ in range(40)]))
    assert output_path("uploads", names.pop()).read_bytes() == b"same" * 1000
