from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import broker
from app.jobs.errors import Unavailable


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the messages of this test lie."""
    path = tmp_path / "folder" / "messages.db"
    monkeypatch.setenv("BROKER_URL", f"sqlite:///{path}")
    for cached in (broker._huey, broker._doorbell):
        cached.cache_clear()
    yield path
    for cached in (broker._huey, broker._doorbell):
        cached.cache_clear()


def test_a_folder_that_cannot_be_made_is_a_broker_that_does_not_answer(messages: Path) -> None:
    messages.parent.write_text("in the way")
    with pytest.raises(Unavailable):
        broker.ring("a", "default")
    with pytest.raises(Unavailable):
        broker.ping_broker()
    messages.parent.unlink()
    broker.ring("a", "default")
    assert broker.broker_depth() == 1
