"""Dramatiq as its user guide shows it: a broker, actors, `send`."""

import os
from typing import Annotated, Any

import dramatiq
from fastapi import Body, FastAPI

from probes import PROBES, name_of

url = os.environ["BROKER_URL"]
if url.startswith("redis"):
    from dramatiq.brokers.redis import RedisBroker as Broker
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker as Broker

dramatiq.set_broker(Broker(url=url))
actors = {name: dramatiq.actor(run) for name, run in PROBES.items()}
api = FastAPI()


@api.post("/probe/{name}", status_code=202)
def place(name: str, args: Annotated[list[Any], Body()], delay_s: float | None = None) -> dict[str, str]:
    job = actors[name_of(name)].send_with_options(args=args, delay=delay_s and int(delay_s * 1000))
    return {"id": job.message_id}
