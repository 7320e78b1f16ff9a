import subprocess
import sys

import pytest

from tests.integration.conftest import ROOT, Service

pytestmark = pytest.mark.integration

RING = "from app.jobs.broker import ring_all; ring_all([('a', 'urgent'), ('b', 'default'), ('c', 'bulk')])"
COUNT = "from app.jobs.broker import broker_depth; print(broker_depth())"


def as_service(name: str, code: str, service: Service) -> str:
    """Run the code as a service of this name that has no workers, on the servers of the tests."""
    command = [sys.executable, "-c", code]
    env = service.env | {"SERVICE": name}
    for _ in range(5):
        ended = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
        if ended.returncode == 0:
            break  # on a busy machine, connecting for the first time may take longer than a caller waits
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_messages_of_every_lane_count_for_their_service_only(service: Service) -> None:
    as_service("one", RING, service)
    own, others = (int(as_service(name, COUNT, service)) for name in ("one", "other"))
    assert own >= 3  # more where a try had to be repeated
    assert others == 0
