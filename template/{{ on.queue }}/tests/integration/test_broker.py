import subprocess
import sys

import pytest

from tests.integration.conftest import ROOT, Service

pytestmark = pytest.mark.integration

RING = "from app.jobs.broker import ring_all; ring_all([('a', 'urgent'), ('b', 'default'), ('c', 'bulk')])"
COUNT = "from app.jobs.broker import broker_depth; print(broker_depth())"


def as_service(name: str, code: str, service: Service) -> str:
    """Run the code as a service of this name that has no workers, on the servers of the tests."""
    env = service.env | {"SERVICE": name}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_the_messages_of_every_lane_count_for_their_service_only(service: Service) -> None:
    as_service("one", RING, service)
    assert [int(as_service(name, COUNT, service)) for name in ("one", "other")] == [3, 0]
