from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from app.files import output_path
from app.tasks.thumbnails import make_thumbnail, shrink, store_upload, thumbnail_path


def test_a_thumbnail_keeps_proportions_and_colour() -> None:
    content = BytesIO()
    Image.new("RGB", (1000, 500), "red").save(content, format="JPEG")
    upload = store_upload(content.getvalue())
    assert make_thumbnail(upload)["height"] == 128
    with Image.open(thumbnail_path(upload)) as small:
        assert small.size == (256, 128)
        red, green, blue = small.convert("RGB").getpixel((128, 64))  # type: ignore[misc]  # RGB gives a tuple
        assert red > 240
        assert max(green, blue) < 20


def test_the_same_image_is_kept_once() -> None:
    assert store_upload(b"same") == store_upload(b"same")
    assert len(list(output_path("uploads", "x").parent.iterdir())) == 1


def test_what_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not an image")
    with pytest.raises(ValueError, match="Not an image"):
        shrink(tmp_path / "text", tmp_path / "small.png")
    assert not (tmp_path / "small.png").exists()
