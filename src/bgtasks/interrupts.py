"""Ctrl-C and SIGTERM, put off until a step is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["signals_held"]

_ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def signals_held() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM wait until the block is over, so that no step is half done.

    Gives the list of the numbers that wait.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held  # Python runs signal handlers in the main thread only
        return
    before = {number: signal.signal(number, lambda caught, _: held.append(caught)) for number in _ENDINGS}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # After the handlers are back: now it ends whatever comes after the step.
    for number in held:
        signal.raise_signal(number)
