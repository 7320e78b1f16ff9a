"""Take a message from the broker only when a thread is idle to run its job.

Dramatiq's own consumers, one a lane, fetch ahead: a short job could wait here behind a long one
while other workers are idle. One taker a process looks at every lane, the urgent one first. A
message is acknowledged as it is taken: what a crash interrupts comes back through the lease of
its job, and no time-out of the broker (RabbitMQ: 30 min) can hit a long job.
"""

import random
from abc import abstractmethod
from collections.abc import Iterable
from functools import cache
from threading import Semaphore

from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import compute_backoff
from dramatiq.errors import ConnectionClosed, DecodeError
from dramatiq.message import Message

from app.jobs.declare import lanes
from app.jobs.heartbeat import beat
from app.jobs.pool import ThreadSettings, may_take

# The queue and the actor that Dramatiq's worker knows; which lane a message came from is over by then.
QUEUE, ACTOR = "jobs", "run_job"

_ROUND_S = 0.5
_IDLE_MS = 200  # Dramatiq's default lets an idle worker sleep for 1 s


@cache
def _idle_threads() -> Semaphore:
    # One for the process, not for a connection: jobs go on while the broker is away.
    return Semaphore(ThreadSettings().worker_threads)


class Taker(Consumer):
    """What Dramatiq's worker gets its messages from."""

    errors: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self._misses = 0

    @abstractmethod
    def take(self, lanes: list[str]) -> bytes | None:
        """Take a message off the first lane that has one and acknowledge it."""

    @abstractmethod
    def rest(self, seconds: float) -> None:
        """Wait, but for `wake` at the most; raise one of `errors` when the broker is gone."""

    @abstractmethod
    def wake(self) -> None:
        """End the rest of the taker, from another thread."""

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None after a while without one."""
        try:
            data = self._try_to_take()
        except self.errors as error:
            # Dramatiq's errors carry no types.
            raise ConnectionClosed(error) from error  # type: ignore[no-untyped-call]
        beat("taker")
        if data is None:
            return None
        return MessageProxy(Message(QUEUE, ACTOR, (job_id_of(data),), {}, {}))

    def _try_to_take(self) -> bytes | None:
        if not _idle_threads().acquire(blocking=False):
            self.rest(_ROUND_S)
            return None
        data = None
        try:
            data = self.take(_in_turn(lanes())) if may_take() else None
        finally:
            if data is None:
                _idle_threads().release()
        self._misses = 0 if data is not None else self._misses
        if data is None:
            self._misses, pause_ms = compute_backoff(self._misses, max_backoff=_IDLE_MS)
            self.rest(pause_ms / 1000)
        return data

    def ack(self, message: MessageProxy) -> None:
        """Note that a thread is idle again."""
        _idle_threads().release()
        self.wake()

    nack = ack

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Leave it to the job store, which rings again for what nobody heard."""


def job_id_of(data: bytes) -> str:
    """Return the job id in a message; no job is called what stands for a garbled one, so it is dropped."""
    try:
        return str(Message.decode(data).args[0])
    except (DecodeError, LookupError):
        return "garbled-message"


def _in_turn(names: list[str]) -> list[str]:
    urgent = [name for name in names if name == "urgent"]
    others = [name for name in names if name != "urgent"]
    return urgent + random.sample(others, len(others))
