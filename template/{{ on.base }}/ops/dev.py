"""Run the API, and the worker where there is one, until Ctrl-C: `poe dev`.

Each is a process group of its own: a Ctrl-C, which may come twice, reaches only this script, and
each of them hears one SIGTERM. Running jobs may then finish for `DRAIN_S`.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_API = ("uvicorn", "app.main:app", "--reload", "--reload-dir", "app", "--timeout-graceful-shutdown", "5")
_WORKER = ("app.worker",)


def main() -> int:
    """Return 0 after a signal, 1 when one of them ended by itself."""
    signals: list[int] = []
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: signals.append(number))
    modules = (_API, _WORKER) if Path("app/worker.py").exists() else (_API,)
    commands = ([sys.executable, "-m", *module] for module in modules)
    children = [subprocess.Popen(command, process_group=0) for command in commands]  # noqa: S603 - these two only
    while not signals and all(child.poll() is None for child in children):
        time.sleep(0.1)
    for child in children:
        child.terminate()
    for child in children:
        child.wait()
        with suppress(ProcessLookupError):  # processes that outlived a parent which crashed
            os.killpg(child.pid, signal.SIGTERM)
    return 0 if signals else 1


if __name__ == "__main__":
    sys.exit(main())
