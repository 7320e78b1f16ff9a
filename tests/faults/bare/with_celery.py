"""Celery as its first steps show it: an app with a broker, tasks, `delay`."""

import os
from typing import Annotated, Any

import probe_work as work
from celery import Celery
from fastapi import Body, FastAPI, Header

from probes import PROBES, name_of

app = Celery("probes", broker=os.environ["BROKER_URL"])
tasks = {name: app.task(run) for name, run in PROBES.items()}
api = FastAPI()

if os.environ.get("PROBE_PERIOD_S"):

    @app.task
    def tick() -> None:
        work.note("start", "tick")

    app.conf.beat_schedule = {"tick": {"task": tick.name, "schedule": float(os.environ["PROBE_PERIOD_S"])}}


@api.post("/probe/{name}", status_code=202)
def place(
    name: str,
    args: Annotated[list[Any], Body()],
    idempotency_key: Annotated[str | None, Header()] = None,
    delay_s: float | None = None,
) -> dict[str, str]:
    job = tasks[name_of(name)].apply_async(args, task_id=idempotency_key, countdown=delay_s)
    return {"id": job.id}
