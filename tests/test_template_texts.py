"""Files of a project that no program here runs: what nginx hides, what the README shows."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

BASE = Path(__file__).parents[1] / "template" / "{{ on.base }}"


@pytest.mark.parametrize("path", ["/jobs", "/jobs/", "/jobs/ui", "/docs", "/openapi.json", "/readyz", "/metrics"])
def test_nginx_keeps_what_is_for_operators_to_itself(path: str) -> None:
    assert hidden().search(path)


@pytest.mark.parametrize("path", ["/livez", "/reports", "/jobs/0f3a", "/jobs/0f3a/events", "/jobs/0f3a/retry"])
def test_nginx_passes_what_a_caller_needs(path: str) -> None:
    assert not hidden().search(path)


def test_the_task_in_the_readme_is_formatted_as_lint_wants_it() -> None:
    text = (BASE / "README.md.jinja").read_text()
    found = re.search(r"is found by itself:\n\n((?:    .*\n|\n)+)", text)
    assert found
    code = dedent(found[1]).strip() + "\n"
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"]
    assert subprocess.run(ruff, input=code, capture_output=True, text=True, check=True).stdout == code


def hidden() -> re.Pattern[str]:
    """Return the rule of what is answered with 404; the first rule that matches counts, so it comes first."""
    rules = re.findall(r"location ~ (\S+) \{\n\s*(.*);", (BASE / "ops" / "nginx.conf.jinja").read_text())
    assert rules[0][1] == "return 404"
    return re.compile(rules[0][0])
