"""A template of few files in three versions, with the questions and rules of the real one.

0.2.0 changes 0.1.0 in every way that a template can change; 0.3.0 cannot be rendered.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from bgtasks import releases
from bgtasks.archive import joined, save, snapshot
from conftest import ROOT

BASE = "{{ on.base }}"
TEXT = [f"line {number}\n" for number in range(1, 13)]
QUEUE = "".join(f"def step_{number}() -> None:\n    print({number})\n\n\n" for number in range(8))

FIRST: dict[str, bytes | str] = {
    ".gitignore": "gen.env\n",
    "README.md.jinja": "# {{ project_name }}\n\n{{ cores }} cores\n",
    "text.txt": "".join(TEXT),
    "same.txt": "".join(TEXT),
    "old_name.txt": "".join(f"renamed {line}" for line in TEXT),
    "dropped.txt": "".join(f"dropped {line}" for line in TEXT),
    "deleted.txt": "".join(f"deleted {line}" for line in TEXT),
    "logo.bin": b"\x00\x01first" * 20,
    "gen.env": "A=1\nB=1\n",
    "run.sh": "#!/bin/sh\necho run\n",
    "ops/one.conf": "".join(f"one {line}" for line in TEXT),
    "file_to_folder": "".join(f"shape {line}" for line in TEXT),
    "folder_to_file/leaf.txt": "".join(f"leaf {line}" for line in TEXT),
}
CHANGED = "".join(["line 1\n", "line 2 of the template\n", *TEXT[2:]])
SECOND: dict[str, bytes | str] = {
    ".gitignore": "gen.env\n",
    "README.md.jinja": "# {{ project_name }}\n\n{{ cores }} cores\n",
    "text.txt": CHANGED,
    "same.txt": "".join(TEXT),
    "new_name.txt": "".join(f"renamed {line}" for line in CHANGED.splitlines(True)),
    "deleted.txt": "".join(f"deleted {line}" for line in CHANGED.splitlines(True)),
    "logo.bin": b"\x00\x02second" * 20,
    "gen.env": "A=2\nB=1\n",
    "run.sh": "#!/bin/sh\necho run\n",
    "ops/one.conf": "".join(f"one {line}" for line in CHANGED.splitlines(True)),
    "ops/two.conf": "two\n",
    "added.txt": "added by the template\n",
    "file_to_folder/part.txt": "part\n",
    "folder_to_file": "now a file\n",
}
EXECUTABLE = {"0.2.0": {"run.sh"}}
BACKENDS = ("backgroundtasks", "huey", "arq", "dramatiq", "celery")


def write_versions(folder: Path) -> dict[str, Path]:
    """Write the three versions, each as it would lie in a checkout."""
    broken = {**SECOND, "zz.txt.jinja": "{% include 'nowhere' %}"}
    return {
        version: _write(folder / version, files, EXECUTABLE.get(version, set()))
        for version, files in {"0.1.0": FIRST, "0.2.0": SECOND, "0.3.0": broken}.items()
    }


def publish(versions: Mapping[str, Path], package: Path) -> Path:
    """Put versions into the archive of what passes for an installed package."""
    package.mkdir(parents=True)
    save(joined(snapshot(path, version) for version, path in versions.items()), package / releases.ARCHIVE)
    return package


def install(package: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bgtasks believe that it is this package, in this version."""
    monkeypatch.setattr(releases, "__file__", str(package / "releases.py"))
    monkeypatch.setattr(releases, "__version__", version)


def _write(root: Path, files: Mapping[str, bytes | str], executable: set[str]) -> Path:
    layers = root / "template"
    answers, record = "{{ _copier_conf.answers_file }}.jinja", "docs/decisions/{{ record }}-use-{{ backend }}.md.jinja"
    own = {f"{BASE}/{name}": content for name, content in files.items()}
    queues = {f"{{{{ on.{key} }}}}/app/{key}_queue.py": f"# {key}\n{QUEUE}" for key in BACKENDS}
    for name, content in {**own, **queues}.items():
        path = layers / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755 if path.name in executable else 0o644)
    for path in [*ROOT.glob("*.jinja"), ROOT / "copier.yml", ROOT / "matrix.yml"]:
        shutil.copy(path, root)
    shutil.copy(ROOT / "template" / answers, layers)
    place = layers / BASE / record
    place.parent.mkdir(parents=True)
    shutil.copy(ROOT / "template" / BASE / record, place)
    return root
