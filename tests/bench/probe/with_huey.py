"""Huey with its results on; it has no acknowledgement that a setting could switch on."""

import asyncio
import os

from huey import RedisHuey, SqliteHuey
from work import mark

url = os.environ["BROKER_URL"]
if url.startswith("redis"):
    huey = RedisHuey("bench", url=url, results=True)
else:
    huey = SqliteHuey("bench", filename=url.removeprefix("sqlite:///"), results=True, fsync=True)
noop = huey.task(retries=3)(mark)


async def place(number: int) -> None:
    await asyncio.to_thread(noop, number)
