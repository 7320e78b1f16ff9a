"""Celery with the best that its own settings give, and its result backend on."""

import asyncio
import os

from celery import Celery
from work import mark

url = os.environ["BROKER_URL"]
app = Celery("bench", broker=url, backend=os.environ["JOB_STORE_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    task_soft_time_limit=60,
    task_time_limit=72,
    worker_max_memory_per_child=200_000,
    task_track_started=True,
    result_expires=3600,
)
if url.startswith("redis"):
    app.conf.broker_transport_options = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
else:
    app.conf.task_default_queue_type = "quorum"
    app.conf.broker_transport_options = {"confirm_publish": True}
    app.conf.broker_heartbeat = 10
noop = app.task(mark, name="noop", autoretry_for=(ConnectionError,), max_retries=3)


async def place(number: int) -> None:
    await asyncio.to_thread(noop.delay, number)
