"""Put messages on the broker as no caller would: `send.py ring ID...` or `send.py garbage BACKEND`."""

import sys
from typing import Any

from app.jobs import broker
from app.jobs.declare import lanes
from app.settings import get_settings

GARBAGE = b"\x80\xffgarbage"
LANE = lanes()[-1]


def huey() -> int:
    """Leave bytes that are no text, and a pickle."""
    for body in (GARBAGE, b"\x80\x04N."):
        broker._huey().storage.enqueue(body, 0)
    return 2


def arq() -> int:
    """Leave a member that is no text."""
    broker._redis().zadd(broker._queue(), {GARBAGE: 1})
    return 1


def dramatiq() -> int:
    """Leave a body that is no JSON, and one without arguments."""
    jobs = broker._broker()
    for body in (GARBAGE, b"{}"):
        if hasattr(jobs, "client"):
            jobs.client.rpush(jobs.key(LANE), body)
        else:
            jobs.channel.basic_publish("", jobs.queue(LANE), body)
    return 2


def celery() -> int:
    """Leave bytes, JSON that is no task, a task that nobody declared, and on Redis what is no message at all."""
    app = broker.celery_app()
    queue: Any = broker.queue_of(LANE)
    with app.pool.acquire(block=True) as connection:
        producer = connection.Producer()
        place = {"exchange": queue.exchange, "routing_key": queue.routing_key, "declare": [queue]}
        producer.publish(GARBAGE, content_type="application/octet-stream", content_encoding="binary", **place)
        producer.publish("[]", content_type="application/json", content_encoding="utf-8", **place)
        app.send_task("nobody.declared", args=("x",), connection=connection, **place)
        if not get_settings().broker_url.get_secret_value().startswith("redis"):
            return 3
        with connection.default_channel.conn_or_acquire() as client:
            client.lpush(queue.name, GARBAGE)
            client.lpush(queue.name, b"{}")
        return 5


if sys.argv[1] == "ring":
    broker.ring_all([(job_id, LANE) for job_id in sys.argv[2:]])
    print(len(sys.argv[2:]))
else:
    print({"huey": huey, "arq": arq, "dramatiq": dramatiq, "celery": celery}[sys.argv[2]]())
