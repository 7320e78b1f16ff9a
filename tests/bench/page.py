"""The page that a run writes: docs/explanation/what-it-costs.md."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from faults.page import heading
from service.variants import QUEUES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/what-it-costs.md"
RESULTS = ROOT / "build/bench/rounds.json"
HEAD = (Path(__file__).parent / "page_head.md").read_text()

Rounds = list[dict[str, dict[str, float]]]


def page(results: Mapping[str, Rounds]) -> str:
    """Return the page: how it is made and read, then a row for each backend and broker."""
    return "\n".join([HEAD.rstrip(), *_table(results), f"\nThis page: {datetime.now(UTC):%B %Y}.\n"])


def _table(results: Mapping[str, Rounds]) -> Iterator[str]:
    yield "\n| | jobs/s: bare | generated | ratio | enqueue p50: bare | generated | ratio |"
    yield "|---|---|---|---|---|---|---|"
    for variant in QUEUES:
        rounds = results.get(str(variant))
        if rounds:
            cells = [*_cells(rounds, "jobs_per_s", ""), *_cells(rounds, "enqueue_us", " us")]
            yield f"| {heading(variant)} | {' | '.join(cells)} |"


def _cells(rounds: Rounds, figure: str, unit: str) -> list[str]:
    bare, own = (median(one[side][figure] for one in rounds) for side in ("bare", "generated"))
    ratio = median(one["generated"][figure] / one["bare"][figure] for one in rounds)
    return [f"{bare:.0f}{unit}", f"{own:.0f}{unit}", f"{ratio:.2f}"]
