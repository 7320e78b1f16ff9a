"""Outside servers with TLS, whose certificates are signed by authorities that only `SSL_CERT_FILE` names."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.project import Project, clean_env
from service.running import Service
from service.tls import tls_brokers
from service.variants import QUEUES, Variant, per_variant

ENCRYPTED = [variant for variant in QUEUES if variant.broker != "sqlite"]
ORDER = {"month": "2026-10-01", "rows": 10}


@pytest.fixture
def authorities() -> dict[str, str]:
    """Who vouches for the server behind each setting; filled once there are servers."""
    return {}


@pytest.fixture
def service(
    request: pytest.FixtureRequest, authorities: dict[str, str], installed: Callable[[Variant], Project], tmp_path: Path
) -> Iterator[Service]:
    """A service on servers with TLS, not started."""
    variant: Variant = request.param
    with tls_brokers(variant.broker, tmp_path) as (urls, found):
        authorities |= found
        own = {
            "DATA_DIR": f"{tmp_path}/data",
            "HEARTBEAT_DIR": f"{tmp_path}/heartbeat",
            "WEBHOOK_SECRET": "of the tests",
        }
        started = Service(installed(variant), tmp_path, clean_env() | urls | own, {})
        try:
            yield started
        finally:
            started.end_all()


def restart(service: Service, trusted: list[str], **settings: str) -> None:
    """Start the API so that it trusts these authorities and nobody else."""
    service.stop(service.api)
    bundle = service.folder / "trusted.pem"
    bundle.write_text("".join(trusted))
    service.env |= {"SSL_CERT_FILE": str(bundle)} | settings
    service.start_api()


@pytest.mark.parametrize("service", per_variant(ENCRYPTED), indirect=True)
def test_a_server_is_believed_only_with_a_certificate_for_its_name(
    service: Service, authorities: dict[str, str]
) -> None:
    everybody = [*authorities.values()]
    for setting, authority in authorities.items():
        restart(service, [one for one in everybody if one != authority])
        assert service.call("POST", "/reports", ORDER).status == 503, f"{setting}: signed by somebody"
        address = service.env[setting]
        restart(service, everybody, **{setting: address.replace("localhost", "127.0.0.1")})
        assert service.call("POST", "/reports", ORDER).status == 503, f"{setting}: for another name"
        service.env[setting] = address
    restart(service, everybody)
    service.start_worker()
    assert service.wait(service.call("POST", "/reports", ORDER).json["id"])["state"] == "succeeded"
