"""What the probes do, the same under every library: work, or misbehave, and note each start and end.

A note is one line in a file that is only ever appended to, so it survives whatever happens to its writer.
"""

import asyncio
import ctypes
import os
import time

_leaked: list[bytes] = []


def note(kind: str, token: str) -> None:
    """Append an event; monotonic time is the same for every process of a machine, whatever its wall clock says."""
    line = f"{kind} {token} {time.monotonic():.4f} {os.getpid()}\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(ledger, line.encode())
    os.close(ledger)


def nap(token: str, seconds: float) -> None:
    """Take some time."""
    note("start", token)
    time.sleep(seconds)
    note("end", token)


def carry(token: str, load: str) -> None:
    """Bring a load along."""
    note("start", token)
    note(f"carried:{len(load)}", token)
    note("end", token)


async def async_nap(token: str, seconds: float) -> None:
    """Take some time on an event loop."""
    note("start", token)
    await asyncio.sleep(seconds)
    note("end", token)


def spin(token: str) -> None:
    """Compute for ever."""
    note("start", token)
    try:
        while True:
            sum(range(1000))
    except Exception as error:
        note(f"raised:{type(error).__name__}", token)
        raise


def sleep_on(token: str) -> None:
    """Wait for ever in one call."""
    note("start", token)
    try:
        time.sleep(3600)
    except BaseException as error:
        note(f"raised:{type(error).__name__}", token)
        raise


async def async_sleep_on(token: str) -> None:
    """Wait for ever on an event loop."""
    note("start", token)
    try:
        await asyncio.sleep(3600)
    except BaseException as error:
        note(f"raised:{type(error).__name__}", token)
        raise


def dawdle(token: str) -> None:
    """Go on for ever in small steps."""
    note("start", token)
    try:
        while True:
            time.sleep(0.05)
    except BaseException as error:
        note(f"raised:{type(error).__name__}", token)
        raise


def swallow(token: str) -> None:
    """Go on for ever, whatever is raised."""
    note("start", token)
    while True:
        try:
            time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 - this is what it is there for
            note(f"raised:{type(error).__name__}", token)


async def async_swallow(token: str) -> None:
    """Go on for ever on an event loop, whatever is raised."""
    note("start", token)
    while True:
        try:
            await asyncio.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 - this is what it is there for
            note(f"raised:{type(error).__name__}", token)


async def async_block(token: str) -> None:
    """Stop the event loop for ever."""
    note("start", token)
    time.sleep(3600)


def leak(token: str, mb: int) -> None:
    """Keep memory for good, and note how much of it this process holds."""
    note("start", token)
    _leaked.append(os.urandom(1024) * 1024 * mb)
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - the shortest way there is
        pages = int(statm.read().split()[1])
    note(f"rss:{pages * os.sysconf('SC_PAGE_SIZE') // 1_000_000}", token)
    note("end", token)


def crash(token: str, how: str) -> None:
    """End the process that runs this."""
    note("start", token)
    if how == "segfault":
        ctypes.string_at(0)
    os._exit(1)


def nap_longer(token: str, seconds: float, extra: float = 0) -> None:
    """Take some time; newer code, whose further parameter has a default."""
    nap(token, seconds + extra)


def nap_as_told(token: str, seconds: float, extra: float) -> None:
    """Take some time; newer code, which wants to be told more."""
    nap(token, seconds + extra)


def fail(token: str, how: str) -> None:
    """Raise what may be tried again, or what may not."""
    note("start", token)
    raise (ConnectionError if how == "connection" else ValueError)(how)
