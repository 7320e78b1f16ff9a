import pytest

from app.tasks.webhooks import NotDelivered, Refused, post_event
from tests.conftest import Receiver


def test_the_receiver_gets_the_event_with_a_valid_signature(receiver: Receiver) -> None:
    assert post_event(receiver.url, "m1", "order.paid", {"order": 7}) == 200
    assert receiver.accepted == {"m1": {"type": "order.paid", "data": {"order": 7}}}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_receiver_in_trouble_is_worth_another_try(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    with pytest.raises(NotDelivered, match=str(status)):
        post_event(receiver.url, "m1", "order.paid", {})


def test_a_refusal_is_final(receiver: Receiver) -> None:
    receiver.statuses = [410]
    with pytest.raises(Refused, match="410"):
        post_event(receiver.url, "m1", "order.paid", {})
