"""The two sides of a comparison: the generated service, and its library by itself."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from service.project import Project

PROBE = Path(__file__).parent / "probe"
SIDES = ("bare", "generated")
_WARM_UP = 0.2
_PATIENCE_S = 120


@dataclass(frozen=True)
class Figures:
    """What one round of one side gave."""

    enqueue_us: float
    jobs_per_s: float


def with_the_job(project: Project) -> Project:
    """Put the job of the benchmark, and the libraries by themselves, into an installed project."""
    for script in PROBE.glob("*.py"):
        shutil.copy(script, project.root / ("app/tasks" if script.name == "noop.py" else ""))
    return project


def worker(side: str, backend: str, places: Mapping[str, str]) -> list[str]:
    """Return how a worker is started that runs as many jobs at once as the generated one."""
    processes, threads = places["WORKER_PROCESSES"], places.get("WORKER_THREADS", "1")
    bare = {
        "celery": f"celery -A with_celery worker --loglevel=WARNING --without-gossip --without-mingle -c {processes}",
        "dramatiq": f"dramatiq with_dramatiq --processes {processes} --threads {threads}",
        "huey": f"huey.bin.huey_consumer with_huey.huey -w {threads} --no-periodic -d 0.05 -m 0.5",
        "arq": "arq with_arq.WorkerSettings",
    }
    return ["-m", *(bare[backend].split() if side == "bare" else ["app.worker"])]


def measure(side: str, backend: str, project: Project, env: Mapping[str, str], jobs: int) -> Figures:
    """Enqueue jobs one after the other, then let one worker run them all."""
    module = f"with_{backend}" if side == "bare" else "bench_service"
    printed = project.run(project.python, "hand_over.py", module, str(jobs), **env)
    assert printed.returncode == 0, printed.stderr
    started = _launch(project, worker(side, backend, env), env)
    try:
        jobs_per_s = _rate(Path(env["MARKS"]), jobs)
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(20)
    return Figures(median(json.loads(printed.stdout)), jobs_per_s)


def _launch(project: Project, command: list[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    log = Path(env["MARKS"]).with_suffix(".log")
    with log.open("wb") as out:
        return subprocess.Popen(
            [project.python, *command],
            cwd=project.root,
            env=env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _rate(marks: Path, jobs: int) -> float:
    """Wait until all jobs have run, and return how many a second did after the first fifth."""
    deadline = time.monotonic() + _PATIENCE_S
    first: tuple[int, float] | None = None
    while (done := _size(marks)) < jobs:
        assert time.monotonic() < deadline, f"{done} of {jobs} jobs after {_PATIENCE_S} s"
        if first is None and done >= _WARM_UP * jobs:
            first = done, time.monotonic()
        time.sleep(0.01)
    assert first is not None
    return (jobs - first[0]) / (time.monotonic() - first[1])


def _size(marks: Path) -> int:
    return marks.stat().st_size if marks.exists() else 0
