"""Where Dramatiq keeps its messages: durable queues in RabbitMQ, every publish confirmed."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed
from pika import URLParameters
from pika.exceptions import AMQPError

from app.jobs.declare import lanes
from app.jobs.take import Taker
from app.settings import Settings

R = TypeVar("R")

# What these calls raise when the broker does not answer.
ERRORS = (AMQPError, ConnectionClosed, OSError)

_PATIENCE_S = 1.0


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
        self._line = _Line(self)

    def send(self, message: Message[None]) -> None:
        """Put the message in its lane and wait until RabbitMQ has it."""
        self._line.ask(lambda: self.enqueue(message))

    def depth(self, lane: str) -> int:
        """Return how many messages wait in the lane."""
        return self._line.ask(lambda: self._count(lane))

    def ping(self) -> None:
        """Raise when RabbitMQ does not answer."""
        self._line.ask(lambda: self.channel.basic_qos(prefetch_count=1))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return what takes messages for the worker."""
        return _RabbitmqTaker(self)

    def declare_lanes(self) -> None:
        """Make sure that every lane exists, also on a RabbitMQ that has lost its disk."""
        self.queues_pending.update(lanes())
        for lane in lanes():
            self.declare_queue(lane, ensure=True)

    def _count(self, lane: str) -> int:
        self.declare_queue(lane, ensure=True)
        return int(self.channel.queue_declare(lane, passive=True).method.message_count)


class _Line:
    """The one connection on which this process sends and asks.

    A connection of pika belongs to one thread, which has to answer RabbitMQ's heartbeats between
    the calls, and a confirm has no time-out. So a thread holds it, and callers wait only so long.
    """

    def __init__(self, broker: RabbitmqBroker) -> None:
        self._broker = broker
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        Thread(target=self._serve, name="rabbitmq", daemon=True).start()

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
        except Exception as error:  # noqa: BLE001 - the line outlives any failure; the caller gets it
            del self._broker.connection  # the next call opens a new one
            self._broker.queues_pending.update(self._broker.queues)
            answer.set_exception(error)

    def _stay_connected(self) -> None:
        if hasattr(self._broker.state, "connection"):
            self._broker.connection.process_data_events()


class _RabbitmqTaker(Taker):
    errors = ERRORS

    def __init__(self, broker: JobBroker) -> None:
        super().__init__()
        self._broker = broker
        try:
            broker.declare_lanes()
        except ERRORS as error:
            raise ConnectionClosed(error) from error
        self._connection = broker.connection

    def take(self, lanes: list[str]) -> bytes | None:
        for lane in lanes:
            method, _, body = self._broker.channel.basic_get(lane, auto_ack=True)
            if method is not None:
                return bytes(body)
        return None

    def rest(self, seconds: float) -> None:
        self._connection.process_data_events(seconds)

    def wake(self) -> None:
        with suppress(AMQPError):  # a closed connection rests no more
            self._connection.add_callback_threadsafe(lambda: None)

    def close(self) -> None:
        """Close the connection; the taker's next one is new."""
        with suppress(AMQPError):
            self._connection.close()
        del self._broker.connection
