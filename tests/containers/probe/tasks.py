"""Work that the container tests watch."""

import os
import socket
import time
from datetime import timedelta

from app.jobs import task


@task(name="probe.hold", max_retries=5, time_limit=timedelta(minutes=3))
def hold(seconds: float) -> dict[str, str | float]:
    """Hold a place for some time, and say where and when."""
    started = time.time()
    time.sleep(seconds)
    return {"host": socket.gethostname(), "started": started, "ended": time.time()}


def swallow(megabytes: int) -> int:
    """Use this much memory."""
    kept = [bytearray(b"x" * 1_000_000) for _ in range(megabytes)]
    return len(kept)


# A busy machine may take its time until the memory is full.
_OPTIONS = {"max_retries": 1, "time_limit": timedelta(minutes=1)}

swallow_beside = task(name="probe.swallow_beside", cpu=True, **_OPTIONS)(swallow)
swallow_here = task(name="probe.swallow_here", **_OPTIONS)(swallow)


@task(name="probe.niceness", cpu=True)
def niceness() -> int:
    """Return how far this process lets others go first."""
    return os.nice(0)
