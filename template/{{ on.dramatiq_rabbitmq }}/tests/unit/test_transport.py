import socket
from collections.abc import Iterator

import pytest

from app.jobs import broker
from app.jobs.errors import Unavailable
from app.jobs.transport import JobBroker, _ask
from app.settings import Settings, get_settings


@pytest.fixture
def mute_server() -> Iterator[Settings]:
    """The settings of a service whose RabbitMQ takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}/"
        yield type(get_settings()).model_validate(get_settings().model_dump() | {"broker_url": url})


def test_a_server_that_never_says_hello_is_a_broker_that_does_not_answer(mute_server: Settings) -> None:
    def ask() -> None:
        _ask(JobBroker(mute_server).channel)

    with pytest.raises(Unavailable):
        broker._guard(ask)


def test_two_services_share_no_queue() -> None:
    one, other = (JobBroker(get_settings().model_copy(update={"service": name})) for name in ("shop", "mail"))
    assert [one.queue("urgent"), other.queue("urgent")] == ["shop.urgent", "mail.urgent"]
