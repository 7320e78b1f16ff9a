"""Entry point of the command and of `python -m bgtasks`."""

import signal
import sys
from types import FrameType

from bgtasks.cli import app

__all__ = ["run"]


def run() -> None:
    """Run the command line; SIGTERM and a closed terminal end it like Ctrl-C does, cleaning up first."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    app(prog_name="bgtasks")


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    run()
