"""What every service of every composition has, whatever was answered; no engine is needed to read it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bgtasks.case import Case
from service.project import Project, write_project
from service.variants import OPTIONS, SUPPORTED

MEMORY = re.compile(r"(\d+)M")
# What the image says, unless a service says otherwise.
OWN_HEALTH_CHECK = ("api", "api-spare")
PUBLIC = ("nginx",)
# The others change nothing in a composition.
COMBINATIONS = [one for one in SUPPORTED if one[1] in ("plain", "transcoding", "inference", "two servers")]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda pair: f"{pair[0]}-{pair[1]}".replace(" ", "-"))
def project(request: pytest.FixtureRequest, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The render of a supported combination."""
    variant, options = request.param
    answers = {"backend": variant.backend} | variant.answers | OPTIONS[options]
    return write_project(case, tmp_path_factory.mktemp("compose") / "demo", **answers)


@pytest.fixture
def services(project: Project) -> dict[str, dict[str, Any]]:
    """The services of compose.yaml by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((project.root / "compose.yaml").read_text())["services"]
    return found


def megabytes(text: str) -> int:
    found = MEMORY.fullmatch(text)
    assert found, text
    return int(found[1])


def test_every_service_is_limited_in_memory_cpu_and_processes(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        limits, reserved = (service["deploy"]["resources"][kind] for kind in ("limits", "reservations"))
        assert 0 < megabytes(reserved["memory"]) <= megabytes(limits["memory"]), name
        assert float(limits["cpus"]) > 0, name
        assert limits["pids"] > 0, name


def test_every_service_may_as_little_as_it_can(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "user" in service or service["image"].startswith("demo-"), name  # our own image names its user


def test_every_service_comes_back_ends_in_time_and_keeps_its_log_small(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert (service["restart"], service["init"]) == ("unless-stopped", True), name
        assert re.fullmatch(r"\d+s", service["stop_grace_period"]), name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_every_service_is_checked_and_waited_for_until_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert name in OWN_HEALTH_CHECK or service["healthcheck"]["test"], name
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, f"{name} needs {needed}"


def test_only_the_proxy_is_published_beyond_this_host(services: dict[str, dict[str, Any]]) -> None:
    published = {name: port for name, service in services.items() for port in service.get("ports", [])}
    assert {name for name, port in published.items() if not port.startswith("127.0.0.1:")} == set(PUBLIC)
    assert not {"redis", "rabbitmq"} & published.keys()


def test_no_secret_stands_in_a_composition(project: Project) -> None:
    words = re.compile(r"password|secret|_url", re.IGNORECASE)
    for path in sorted(project.root.glob("compose*.yaml")):
        for name, service in _services(path.read_text()):
            given = service.get("environment") or {}
            leaked = {key: value for key, value in given.items() if words.search(key) and not key.endswith("__FILE")}
            assert leaked == {}, f"{path.name}: {name}"


def test_redis_refuses_before_its_container_is_full(project: Project, services: dict[str, dict[str, Any]]) -> None:
    if "redis" not in services:
        assert not (project.root / "ops/redis.conf").exists()
        return
    config = (project.root / "ops/redis.conf").read_text()
    settings = dict(line.split(" ", 1) for line in config.splitlines() if line and not line.startswith("#"))
    limit = megabytes(services["redis"]["deploy"]["resources"]["limits"]["memory"])
    assert int(settings["maxmemory"].removesuffix("mb")) < limit
    wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "include": "/run/secrets/redis_auth"}
    assert wanted.items() <= settings.items()
    assert "save" in settings


def test_the_scaled_set_waits_for_no_server_of_its_own(project: Project, services: dict[str, dict[str, Any]]) -> None:
    path = project.root / "compose.scale.yaml"
    assert path.exists() == ("redis" in services)
    if path.exists():
        scaled = dict(_services(path.read_text()))
        away = {name for name, service in scaled.items() if service.get("profiles") == ["local"]}
        assert away == {"redis", "rabbitmq"} & services.keys()
        waiting = {name for name, service in services.items() if away & {*service.get("depends_on", {})}}
        assert waiting == {name for name, service in scaled.items() if service.get("depends_on") == "reset"}


def _services(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from yaml.load(text, _Loader)["services"].items()  # noqa: S506 - a safe loader


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags, such as `!reset`."""


_Loader.add_multi_constructor("!", lambda _loader, suffix, _node: suffix)
