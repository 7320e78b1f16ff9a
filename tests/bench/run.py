"""Compare each generated service with its library, and write the page: `make bench [BACKEND=arq-redis] [ROUNDS=5]`."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from bench.page import PAGE, RESULTS, page
from bench.sides import SIDES, Figures, measure, with_the_job
from bgtasks.case import Case, opened
from faults.memory import own_settings
from service.brokers import Server, brokers
from service.project import clean_env, install, write_project
from service.redis import RedisEye
from service.variants import QUEUES, Variant

ROUNDS = int(os.environ.get("ROUNDS") or 5)
JOBS = int(os.environ.get("JOBS") or 1500)


def main() -> None:
    """Compare the backend that was asked for, or each in turn, and write the page from all that is known."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with opened() as case:
        for variant in QUEUES:
            if os.environ.get("BACKEND", "") in ("", str(variant)):
                results[str(variant)] = compare(case, variant)
                RESULTS.parent.mkdir(parents=True, exist_ok=True)
                RESULTS.write_text(json.dumps(results))
    PAGE.write_text(page(results))


def compare(case: Case, variant: Variant) -> list[dict[str, dict[str, float]]]:
    """Run both sides in turn, each round in the other order, and return their figures by round and side."""
    root = RESULTS.parent / f"{variant}-{os.getpid()}"
    try:
        project = with_the_job(install(write_project(case, root / "demo", backend=variant.backend, **variant.answers)))
        own = {name: value for name, value in own_settings(project).items() if name.startswith("WORKER_")}
        rounds = []
        with brokers(variant.broker, root) as (urls, servers):
            for number in range(ROUNDS):
                found: dict[str, Figures] = {}
                for side in SIDES if number % 2 else reversed(SIDES):
                    env = clean_env() | urls | own | fresh(root / f"{side}-{number}", variant, servers)
                    found[side] = measure(side, variant.backend, project, env, JOBS)
                rounds.append({side: asdict(figures) for side, figures in found.items()})
                say(variant, found)
        return rounds
    finally:
        shutil.rmtree(root, ignore_errors=True)


def fresh(folder: Path, variant: Variant, servers: dict[str, Server]) -> dict[str, str]:
    """Return settings for a side that finds nothing of the one before it."""
    folder.mkdir()
    if "redis" in servers:
        RedisEye(servers["redis"].port).ask("FLUSHALL")
    own = {"MARKS": f"{folder}/marks", "HEARTBEAT_DIR": f"{folder}/heartbeat", "BACKEND": variant.backend}
    if variant.broker != "sqlite":
        return own
    files = {"BROKER_URL": f"sqlite:///{folder}/messages.db", "JOB_STORE_URL": f"sqlite:///{folder}/jobs.db"}
    return own | files


def say(variant: Variant, found: dict[str, Figures]) -> None:
    """Print a round."""
    bare, own = (found[side] for side in SIDES)
    enqueue = f"enqueue {own.enqueue_us:.0f} us, {own.enqueue_us / bare.enqueue_us:.2f} of bare"
    print(
        f"{variant}: {own.jobs_per_s:.0f} jobs/s, {own.jobs_per_s / bare.jobs_per_s:.2f} of bare; {enqueue}", flush=True
    )


if __name__ == "__main__":
    main()
