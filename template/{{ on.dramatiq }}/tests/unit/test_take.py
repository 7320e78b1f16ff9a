from collections.abc import Iterator

import pytest

from app.jobs import take
from app.jobs.take import Taker, job_id_of


class FakeTaker(Taker):
    """A broker with two lanes in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = {"default": [b"bulk"], "urgent": [b"now"]}
        self.rests = 0

    def take(self, lanes: list[str]) -> bytes | None:
        return next((self.waiting[lane].pop() for lane in lanes if self.waiting[lane]), None)

    def rest(self, seconds: float) -> None:
        self.rests += 1

    def wake(self) -> None:
        self.rests = 0


@pytest.fixture
def taker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTaker]:
    """A taker for a process with one thread."""
    monkeypatch.setenv("WORKER_THREADS", "1")
    monkeypatch.setattr(take, "lanes", lambda: ["urgent", "default"])
    take._idle_threads.cache_clear()
    yield FakeTaker()
    take._idle_threads.cache_clear()


def test_nothing_is_taken_while_every_thread_is_busy(taker: FakeTaker) -> None:
    first = next(taker)
    assert first is not None
    assert next(taker) is None
    assert taker.waiting == {"default": [b"bulk"], "urgent": []}
    taker.ack(first)
    assert next(taker) is not None


def test_an_empty_broker_keeps_no_thread_busy(taker: FakeTaker) -> None:
    taker.waiting = {"default": [], "urgent": []}
    assert [next(taker), next(taker)] == [None, None]
    taker.waiting["default"] = [b"bulk"]
    assert next(taker) is not None


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"args": []}'])
def test_a_garbled_message_becomes_a_job_that_nobody_knows(data: bytes) -> None:
    assert job_id_of(data) == "garbled-message"
