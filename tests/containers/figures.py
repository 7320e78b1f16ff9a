"""What a run of the container tests measured, and the page that tells it: docs/reference/containers.md."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from faults.page import heading
from service.variants import VARIANTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/containers.md"
FIGURES = ROOT / "build/containers/figures.json"
HEAD = (Path(__file__).parent / "figures_head.md").read_text()

Figures = Mapping[str, Mapping[str, float]]


def keep(variant: str, **measured: float) -> None:
    """Add figures of a variant; those of an earlier run for the same thing are gone then."""
    figures = kept()
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({**figures, variant: {**figures.get(variant, {}), **measured}}))


def kept() -> Figures:
    """Return what the runs in this checkout have measured."""
    found: Figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def write_page() -> None:
    """Write the page once there are figures of every variant."""
    figures = kept()
    if {str(variant) for variant in VARIANTS} <= figures.keys():
        PAGE.write_text("\n".join([HEAD.rstrip(), "", *_table(figures), f"\nMeasured {datetime.now(UTC):%B %Y}.\n"]))


def _table(figures: Figures) -> Iterator[str]:
    yield "| | image | built from nothing | after a line of code |"
    yield "|---|---|---|---|"
    for variant in VARIANTS:
        one = figures[str(variant)]
        name = heading(variant) if variant.broker != "memory" else "BackgroundTasks"
        yield f"| {name} | {one['size_mb']:.0f} MB | {one['cold_s']:.1f} s | {one['warm_s']:.1f} s |"
