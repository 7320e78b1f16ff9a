"""The page that a run of the full table writes: docs/explanation/what-survives.md."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from faults.records import Record
from faults.table import FAULTS, Fault
from service.variants import QUEUES, Variant

PAGE = Path(__file__).parents[2] / "docs/explanation/what-survives.md"
TITLES = {"sqlite": "SQLite", "redis": "Redis", "rabbitmq": "RabbitMQ", "arq": "ARQ"}
HEAD = (Path(__file__).parent / "page_head.md").read_text()

Records = Mapping[tuple[str, str, str], Record]


def page(records: Records) -> str:
    """Return the page: how it is made and read, then one table for each backend and broker."""
    return "\n".join([HEAD.rstrip(), *_made_with(records), *(line for one in QUEUES for line in _table(one, records))])


def heading(variant: Variant) -> str:
    """Return what a table is called."""
    return " on ".join(TITLES.get(word, word.title()) for word in (variant.backend, variant.broker))


def rows(variant: Variant) -> list[Fault]:
    """Return the faults that can happen there."""
    return [fault for fault in FAULTS if fault.concerns(variant)]


def _made_with(records: Records) -> Iterator[str]:
    seeds = sorted({record.seed for record in records.values()})
    months = list(dict.fromkeys(record.month for record in records.values()))
    yield f"\nThis page: {' and '.join(months)}, seed {', '.join(map(str, seeds))}.\n"


def _table(variant: Variant, records: Records) -> Iterator[str]:
    found = next((one.versions for place, one in records.items() if place[1] == str(variant)), {})
    yield f"## {heading(variant)}\n"
    yield f"With {', '.join(f'{name} {version}' for name, version in found.items())}.\n"
    yield "| fault | the library's defaults | the generated service |"
    yield "|---|---|---|"
    for fault in rows(variant):
        cells = (_cell(kind, variant, fault, records) for kind in ("bare", "generated"))
        yield f"| {fault.name} | {' | '.join(cells)} |"
    yield ""


def _cell(kind: str, variant: Variant, fault: Fault, records: Records) -> str:
    if kind == "bare" and not fault.bare:
        return "nothing to compare with"
    record = records.get((kind, str(variant), str(fault)))
    if record is None:
        return "*not run*"
    said = (f"**{text}**" if text in record.broken else text for text in record.said)
    return ", ".join(said).replace("|", "\\|")
