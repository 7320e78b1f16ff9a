"""Where Dramatiq keeps its messages: durable queues in RabbitMQ, every publish confirmed."""

import logging
from typing import Any

from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.errors import ConnectionClosed
from pika import URLParameters
from pika.exceptions import AMQPError

from app.jobs.heartbeat import beat
from app.settings import Settings

# What these calls raise when the broker does not answer.
ERRORS = (AMQPError, ConnectionClosed, OSError)


class _Consumer(_RabbitmqConsumer):
    """Shows each round that it still takes messages."""

    def __next__(self) -> Any:
        message = super().__next__()
        beat(self.queue_name)
        return message


class JobBroker(RabbitmqBroker):
    """Dramatiq on RabbitMQ."""

    @property
    def consumer_class(self) -> type[_Consumer]:
        return _Consumer

    def depth(self, lane: str) -> int:
        """Return how many messages wait in the lane."""
        self.declare_queue(lane, ensure=True)
        return int(self.channel.queue_declare(lane, passive=True).method.message_count)

    def ping(self) -> None:
        """Raise when RabbitMQ does not answer."""
        self.channel.basic_qos(prefetch_count=1)


def connect(settings: Settings) -> JobBroker:
    """Return Dramatiq on the RabbitMQ that `BROKER_URL` names."""
    # Every failure is raised as well; pika would log each with several tracebacks.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    parameters = URLParameters(settings.broker_url.get_secret_value())
    parameters.socket_timeout = 1
    parameters.stack_timeout = 2
    parameters.blocked_connection_timeout = 5
    broker = JobBroker(
        confirm_delivery=True,  # Dramatiq's default loses what RabbitMQ had not yet written
        middleware=[],  # retries, limits and results are the job record's
    )
    broker.parameters = parameters
    return broker
