"""How much memory a worker uses, as its container would count it, and how much the container grants."""

import os
import threading
import tomllib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from service.project import Project

_EVERY_S = 0.1


def own_settings(project: Project) -> dict[str, str]:
    """Return how the project itself wants its worker: the number of processes, and what each may use."""
    settings = tomllib.loads((project.root / "settings.toml").read_text())
    names = ("worker_processes", "worker_threads", "cpu_processes", "memory_limit_mb", "recycle_after_jobs")
    return {name.upper(): str(settings[name]) for name in names if name in settings}


def limit_mb(project: Project) -> int:
    """Return the memory limit of the worker's container in compose.yaml."""
    compose = yaml.safe_load((project.root / "compose.yaml").read_text())
    limit: str = compose["services"]["worker"]["deploy"]["resources"]["limits"]["memory"]
    return int(limit.removesuffix("M"))


class Peak:
    """The most memory that the processes of one session used together while the block lasted."""

    def __init__(self, session: int) -> None:
        self.mb = 0.0
        self._session = session
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            self.mb = max(self.mb, sum(_used_mb(pid) for pid in _processes(self._session)))


def _processes(session: int) -> list[int]:
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(ProcessLookupError):
            if os.getsid(int(name)) == session:
                found.append(int(name))
    return found


def _used_mb(pid: int) -> float:
    """Return what the process adds to its container: of a page that n processes share, the n-th part."""
    with suppress(OSError):  # it may be gone by now
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
