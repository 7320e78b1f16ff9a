"""What docs/storage.md says about backups, typed as it stands there."""

import re

import pytest

from containers.stack import Stack

DC = 'dc() { docker compose -f compose.yaml "$@"; }'


@pytest.mark.brokers("redis", "rabbitmq", "sqlite")
def test_a_backup_brings_back_what_was_there_and_nothing_else(stack: Stack) -> None:
    page = (stack.project.root / "docs/storage.md").read_text().split("## Back up and restore")[1]
    back_up, restore = (text.replace("\n    ", "\n") for text in re.findall(r"\n\n((?:    .+\n)+)", page))
    kept = stack.place("hold", 0.1)
    stack.all_succeed([kept])
    runs = stack.place("hold", 8)
    stack.shell(f"{DC}\n{back_up}")
    late = stack.place("hold", 0.1)
    stack.all_succeed([runs, late])
    stack.shell(f"{DC}\n{restore}")
    assert stack.job(kept)["state"] == "succeeded"
    assert stack.job(runs)["state"] != "succeeded"
    stack.all_succeed([runs])
    assert stack.call("GET", f"/jobs/{late}").status == 404
