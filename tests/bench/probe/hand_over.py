"""Enqueue so many jobs from async code, one after the other, and print how long each took: `hand_over.py MODULE COUNT`.

MODULE is `bench_service` for the generated service, or `with_celery` and so on for a library by itself.
"""

import asyncio
import importlib
import json
import sys
from time import perf_counter


async def main(module: str, count: int) -> None:
    side = importlib.import_module(module)
    await side.place(0)  # opens the connections
    took_us = []
    for number in range(1, count):
        began = perf_counter()
        await side.place(number)
        took_us.append((perf_counter() - began) * 1e6)
    print(json.dumps(took_us))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
