"""Resolve one set of versions per backend and broker: pins/<backend>-<broker>.txt.

`python scripts/pins.py` takes the newest versions; with `--check` nothing is written, and the run
fails when a committed set no longer covers what the template requires.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from bgtasks.matrix import load_matrix
from bgtasks.releases import template_root
from bgtasks.render import render

PINS = Path(__file__).parents[1] / "pins"
PYTHON = "3.11"
ADDRESS = re.compile(r"://|^\s*-|\s@\s", re.MULTILINE)  # a location, an option such as --index-url, a direct reference
FLAGS = [
    "--universal",
    "--fork-strategy=fewest",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--quiet",
]


def combinations(template: Path) -> Iterator[tuple[str, str, str]]:
    """Give (backend, broker, infrastructure that leads to it), each broker of a backend once."""
    for name, backend in load_matrix(template / "matrix.yml").backends.items():
        by_broker = {broker: infrastructure for infrastructure, broker in reversed(list(backend.brokers.items()))}
        for broker, infrastructure in by_broker.items():
            yield name, broker, infrastructure


def unpinned_project(template: Path, backend: str, infrastructure: str, dest: Path) -> Path:
    """Render a project whose requirements carry no versions, and give its pyproject.toml."""
    shutil.rmtree(template / "pins", ignore_errors=True)
    undemanding = {"slowest_task": "800ms", "task_loss": "acceptable"}  # no backend is vetoed
    choice = {"backend": backend, "infrastructure": infrastructure}
    render({"project_name": "pins", **undemanding, **choice}, dest, template)
    return dest / "pyproject.toml"


def resolve(pyproject: Path, pins: Path) -> None:
    """Write the versions of everything that a project and its groups need; versions in `pins` are kept while they fit.

    Raises:
        ValueError: A line of the result is more than a name, a version and a marker.
    """
    groups = tomllib.loads(pyproject.read_text())["dependency-groups"]
    wanted = [word for group in groups for word in ("--group", group)]
    command = ["uv", "pip", "compile", "pyproject.toml", *wanted, *FLAGS, "--python-version", PYTHON]
    subprocess.run([*command, "--output-file", str(pins)], cwd=pyproject.parent, check=True, stdout=subprocess.DEVNULL)
    if found := ADDRESS.search(pins.read_text()):
        raise ValueError(f"{pins.name} holds more than versions, near {found.group()!r}")


def main() -> int:
    """Refresh the sets, or check them; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a set is out of date")
    check = parser.parse_args().check
    stale = []
    with template_root() as template, tempfile.TemporaryDirectory() as folder:
        for backend, broker, infrastructure in combinations(template):
            name = f"{backend}-{broker}"
            fresh = Path(folder, f"{name}.txt")
            committed = PINS / fresh.name
            if check and committed.exists():
                shutil.copy(committed, fresh)
            resolve(unpinned_project(template, backend, infrastructure, Path(folder, name)), fresh)
            if not committed.exists() or committed.read_text() != fresh.read_text():
                stale.append(committed.name)
                if not check:
                    PINS.mkdir(exist_ok=True)
                    shutil.copy(fresh, committed)
    for pins in stale:
        print(f"{'out of date' if check else 'updated'}: pins/{pins}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
