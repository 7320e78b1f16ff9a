"""Huey as its README shows it: an instance, tasks that are called."""

import os
from typing import Annotated, Any

from fastapi import Body, FastAPI
from huey import RedisHuey, SqliteHuey

from probes import PROBES, name_of

url = os.environ["BROKER_URL"]
huey = RedisHuey("probes", url=url) if url.startswith("redis") else SqliteHuey(filename=url.removeprefix("sqlite:///"))
tasks = {name: huey.task()(run) for name, run in PROBES.items()}
api = FastAPI()


@api.post("/probe/{name}", status_code=202)
def place(name: str, args: Annotated[list[Any], Body()], delay_s: float | None = None) -> dict[str, str]:
    job = tasks[name_of(name)].schedule(args=args, delay=delay_s) if delay_s else tasks[name_of(name)](*args)
    return {"id": job.id}
