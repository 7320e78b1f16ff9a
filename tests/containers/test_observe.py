"""The profile observe: Prometheus finds every API and knows the alerts, Grafana and Flower show something."""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator

import pytest

from containers.engine import need_image
from containers.stack import Stack

OBSERVE = ["observe"]
METRIC = re.compile(r"\b[a-z_]+(?=[\[{)]|$)")


@pytest.fixture
def observed(stack: Stack) -> Iterator[Stack]:
    """The composition with what watches it, apart from Grafana, for which there is no image everywhere."""
    watchers = {*stack.compose("config --services", profiles=OBSERVE).split()} - {*stack.services, "grafana"}
    stack.up("--build", *watchers, profiles=OBSERVE)
    yield stack
    stack.compose("rm --stop --force", *watchers, profiles=OBSERVE)


def targets(stack: Stack) -> dict[str, str]:
    """Return the health of what Prometheus looks at, by job."""
    found = stack.ask("PROMETHEUS_PORT", "/api/v1/targets")["data"]["activeTargets"]
    return {target["labels"]["job"]: target["health"] for target in found}


def test_prometheus_sees_what_there_is_and_knows_the_alerts(observed: Stack) -> None:
    jobs = {"api", "prometheus", *({"rabbitmq"} & {*observed.services})}
    observed.until(lambda: targets(observed) == dict.fromkeys(jobs, "up"), "every target to be up", 60)
    groups = observed.ask("PROMETHEUS_PORT", "/api/v1/rules")["data"]["groups"]
    assert [rule for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
    assert sum(len(group["rules"]) for group in groups) > 3


def test_the_dashboard_asks_for_what_the_api_tells(observed: Stack) -> None:
    panels = json.loads((observed.project.root / "ops/grafana/jobs.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in asked:
        query = urllib.parse.urlencode({"query": expression})
        assert observed.ask("PROMETHEUS_PORT", f"/api/v1/query?{query}")["status"] == "success"
    observed.until(lambda: "jobs" in told(observed), "the first scrape", 60)
    assert {"dependency_up", "jobs_overdue"} <= told(observed)
    assert {name for one in asked for name in re.findall(METRIC, re.sub(r"by \([^)]*\)", "", one))} <= told(observed)


def told(stack: Stack) -> set[str]:
    """Return the names of what Prometheus has been told."""
    return {*stack.ask("PROMETHEUS_PORT", "/api/v1/metadata")["data"]}


def test_flower_shows_the_workers(observed: Stack) -> None:
    if observed.variant.backend == "celery":
        observed.until(lambda: len(observed.workers()) == 1, "Flower to see the worker", 60)
    assert ("flower" in observed.compose("config --services", profiles=OBSERVE)) == (
        observed.variant.backend == "celery"
    )


def test_grafana_has_the_dashboard(stack: Stack) -> None:
    need_image(json.loads(stack.compose("config --format json", profiles=OBSERVE))["services"]["grafana"]["image"])
    stack.up("grafana", profiles=OBSERVE)
    password = (stack.project.root / "secrets/grafana_password").read_text()
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    found = stack.ask("GRAFANA_PORT", "/api/dashboards/uid/jobs", Authorization=f"Basic {login}")
    assert found["dashboard"]["title"] == "Jobs"
    stack.compose("rm --stop --force grafana", profiles=OBSERVE)
