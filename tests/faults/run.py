"""Run the full table and write the page: `make faults [AT_ONCE=3] [BACKEND=celery-redis] [FAULT=killed-worker]`."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bgtasks.case import opened
from faults.cell import KINDS, examine
from faults.outcome import full
from faults.page import PAGE, page
from faults.records import BUILD, Record, keep, kept, template_now
from faults.side_by_side import asked_for, for_each
from faults.table import FAULTS, Fault
from service.brokers import RABBITMQ_SCRIPT
from service.project import Project, install, write_project
from service.variants import Variant

SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
LIBRARIES = ("celery", "kombu", "dramatiq", "huey", "arq", "redis")
PIN = r'"([\w-]+)(?:\[\S*\])?==([^"]+)"'


def main() -> None:
    """Run the cells that were asked for, or else those that no run has filled yet, and write the page."""
    print(f"seed {SEED}", flush=True)
    for_each(asked_for(), fill, SEED)
    PAGE.write_text(page(kept()))
    sys.exit(any(map(_fails, asked_for())))


def _fails(variant: Variant) -> bool:
    """Whether the generated service broke its promise there, or has not shown that it holds."""
    have = kept()
    cells = [have.get(("generated", str(variant), str(fault))) for fault in FAULTS if fault.concerns(variant)]
    return any(cell is None or cell.broken for cell in cells)


def fill(variant: Variant, seed: int) -> None:
    """Run the cells of one backend, as the library alone and as generated service."""
    cells = missing(variant)
    if not cells:
        return
    root = BUILD / f"{variant}-{os.getpid()}"
    try:
        with opened() as case:
            project = install(write_project(case, root / "demo", backend=variant.backend, **variant.answers))
        for kind, one in cells:
            fill_one(kind, variant, one, project, seed)
    finally:
        shutil.rmtree(root)


def missing(variant: Variant) -> list[tuple[str, Fault]]:
    """Return the cells that were asked for, or else those that no run has filled yet."""
    backend, fault, kind = (os.environ.get(name, "") for name in ("BACKEND", "FAULT", "KIND"))
    rows = [one for one in FAULTS if fault in ("", str(one)) and one.concerns(variant)]
    have = {} if backend or fault else kept()
    cells = [(one, row) for row in rows for one in KINDS if kind in ("", one) and (row.bare or one != "bare")]
    return [(one, row) for one, row in cells if (one, str(variant), str(row)) not in have]


def fill_one(kind: str, variant: Variant, fault: Fault, project: Project, seed: int) -> None:
    """Run one cell, and keep its record; what it wrote stays only where the generated service broke its promise."""
    folder = BUILD / f"{kind}-{variant}-{fault}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began_s = time.monotonic()
    out = examine(kind, variant, fault, project, folder, full(seed))
    took_s, month = round(time.monotonic() - began_s), f"{datetime.now(UTC):%B %Y}"
    seen = Record(kind, str(variant), str(fault), out.said, out.broken, seed, took_s, month, versions(variant, project))
    keep(replace(seen, template=template_now()))
    print(f"{kind} {variant} {fault}: {out} ({took_s} s){' BROKEN' if out.broken else ''}", flush=True)
    if kind == "bare" or not out.broken:
        shutil.rmtree(folder)


def versions(variant: Variant, project: Project) -> dict[str, str]:
    """Return the versions of what carries the messages."""
    pins = dict(re.findall(PIN, (project.root / "pyproject.toml").read_text()))
    found = {name.replace("redis", "redis-py"): pins[name] for name in LIBRARIES if name in pins}
    if variant.broker != "sqlite":
        found["Redis"] = said_by("redis-server", "--version", pattern=r"v=(\S+)")
    if variant.broker == "rabbitmq":
        found["RabbitMQ"] = said_by(str(RABBITMQ_SCRIPT.with_name("rabbitmqctl")), "version", pattern=r"(\S+)")
    return found


def said_by(*command: str, pattern: str) -> str:
    """Return the version that a command prints, or a question mark."""
    if not shutil.which(command[0]) and not Path(command[0]).exists():
        return "?"
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(pattern, printed)
    return found[1] if found else "?"


if __name__ == "__main__":
    main()
