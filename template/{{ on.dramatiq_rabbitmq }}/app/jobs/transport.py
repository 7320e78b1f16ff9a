"""Where Dramatiq keeps its messages: durable queues in RabbitMQ, every publish confirmed."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed
from pika import URLParameters
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from app.jobs.declare import lanes
from app.jobs.take import Taker
from app.settings import Settings

R = TypeVar("R")

# What these calls raise when the broker does not answer; a server that never says hello is no AMQPError.
ERRORS = (AMQPError, AMQPConnectorException, ConnectionClosed, OSError)

_PATIENCE_S = 1.0
_HOLD_S = 0.5
_ASK_EVERY_S = 2.0
_LINES = 4  # confirms take a millisecond or two: several may wait for theirs at once


class JobBroker(RabbitmqBroker):
    """Dramatiq on the RabbitMQ that `BROKER_URL` names."""

    def __init__(self, settings: Settings) -> None:
        # Every failure is raised as well; pika would log each with several tracebacks.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        super().__init__(
            confirm_delivery=True,  # Dramatiq's default loses what RabbitMQ had not yet written
            middleware=[],  # retries, limits and results are the job record's
        )
        parameters = URLParameters(settings.broker_url.get_secret_value())
        parameters.socket_timeout = 1
        parameters.stack_timeout = 2
        parameters.heartbeat = 10  # a broker that hangs is given up after 15 s
        parameters.blocked_connection_timeout = 5
        self.parameters = parameters
        self._service = settings.service
        self._lines = _Lines(self)

    def queue(self, lane: str) -> str:
        """Return the name of the lane's queue; several services may share one RabbitMQ."""
        return f"{self._service}.{lane}"

    def send(self, message: Message[None]) -> None:
        """Put the message in its lane and wait until RabbitMQ has it."""
        addressed = message.copy(queue_name=self.queue(message.queue_name))
        self._lines.ask(lambda: self.enqueue(addressed))

    def depth(self) -> int:
        """Return how many messages wait, in all lanes together."""
        return self._lines.ask(self._count)

    def ping(self) -> None:
        """Raise when RabbitMQ does not answer."""
        self._lines.ask(lambda: _ask(self.channel))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return what takes messages for the worker."""
        return _RabbitmqTaker(self)

    def declare_lanes(self) -> None:
        """Make sure that every lane exists, also on a RabbitMQ that has lost its disk."""
        names = [self.queue(lane) for lane in lanes()]
        self.queues_pending.update(names)
        for name in names:
            self.declare_queue(name, ensure=True)

    def _count(self) -> int:
        self.declare_lanes()
        queues = [self.channel.queue_declare(self.queue(lane), passive=True) for lane in lanes()]
        return sum(int(queue.method.message_count) for queue in queues)


class _Lines:
    """The connections on which this process sends and asks.

    A connection of pika belongs to one thread, which has to answer RabbitMQ's heartbeats between
    the calls, and a confirm has no time-out. So threads hold them, and callers wait only so long.
    """

    def __init__(self, broker: RabbitmqBroker) -> None:
        self._broker = broker
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        for number in range(_LINES):
            Thread(target=self._serve, name=f"rabbitmq-{number}", daemon=True).start()

    def ask(self, call: Callable[[], R]) -> R:
        """Return what the call returns, or raise what it raises; `TimeoutError` after 1 s."""
        answer: Future[R] = Future()
        self._calls.put((call, answer))
        try:
            return answer.result(_PATIENCE_S)
        finally:
            answer.cancel()  # a call that nobody waits for any more is not made

    def _serve(self) -> None:
        while True:
            try:
                call, answer = self._calls.get(timeout=_PATIENCE_S)
            except Empty:
                call, answer = self._stay_connected, Future()
            if answer.set_running_or_notify_cancel():
                self._make(call, answer)

    def _make(self, call: Callable[[], Any], answer: Future[Any]) -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - the thread outlives any failure; the caller gets it
            del self._broker.connection  # the next call opens a new one
            self._broker.queues_pending.update(self._broker.queues)
            answer.set_exception(error)

    def _stay_connected(self) -> None:
        if hasattr(self._broker.state, "connection"):
            self._broker.connection.process_data_events()


class _RabbitmqTaker(Taker):
    """Holds a message or two ready for the next idle thread, but never while all are busy."""

    errors = ERRORS

    def __init__(self, broker: JobBroker) -> None:
        super().__init__()
        self._broker = broker
        try:
            broker.declare_lanes()
        except ERRORS as error:
            raise ConnectionClosed(error) from error
        self._connection, self._channel = broker.connection, broker.channel
        _ask(self._channel)
        self._channel.add_on_cancel_callback(lambda _: self._listening.clear())
        self._listening: list[str] = []
        self._ready: dict[str, deque[tuple[int, bytes]]] = {lane: deque() for lane in lanes()}
        self._idle_at = self._ask_at = 0.0

    def take(self, lanes: list[str]) -> bytes | None:
        self._idle_at = monotonic()
        if not self._listening:
            queues = [(self._broker.queue(lane), partial(self._keep, lane)) for lane in lanes]
            self._listening = [self._channel.basic_consume(name, keep) for name, keep in queues]
        self._connection.process_data_events()
        for lane in lanes:
            if self._ready[lane]:
                tag, body = self._ready[lane].popleft()
                self._channel.basic_ack(tag)
                return body
        return None

    def rest(self, seconds: float) -> None:
        self._connection.process_data_events(seconds)
        if monotonic() > self._ask_at:
            self._ask_at = monotonic() + _ASK_EVERY_S
            _ask(self._channel)  # a broker that hangs looks like one without messages
        if self._listening and monotonic() - self._idle_at > _HOLD_S:
            self._hand_back()

    def wake(self) -> None:
        with suppress(AMQPError):  # a closed connection rests no more
            self._connection.add_callback_threadsafe(lambda: None)

    def close(self) -> None:
        """Close the connection, which hands back what is ready; the taker's next one is new."""
        with suppress(AMQPError):
            self._connection.close()
        del self._broker.connection

    def _keep(self, lane: str, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        self._ready[lane].append((method.delivery_tag, body))

    def _hand_back(self) -> None:
        """Leave the messages to other workers: all threads here are busy, maybe for hours."""
        for tag in self._listening:
            self._channel.basic_cancel(tag)
        self._listening = []
        for kept in self._ready.values():
            while kept:
                self._channel.basic_nack(kept.popleft()[0], requeue=True)


def _ask(channel: Any) -> None:
    # The cheapest question that RabbitMQ answers; it also sets what a taker gets ahead: one in each lane.
    channel.basic_qos(prefetch_count=1)
