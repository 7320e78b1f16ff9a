"""Webhooks: work that waits for somebody else's server."""

import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2

from app.jobs import task, this_job
from app.settings import get_settings
from app.signatures import signed_headers

_TIMEOUT_S = 10.0


class NotDelivered(Exception):
    """Raised when the receiver answers that it cannot take the webhook now."""


class Refused(Exception):
    """Raised when the receiver refuses the webhook for good."""


@task(
    name="webhooks.deliver",
    max_retries=5,
    retry_on=(httpx2.TransportError, NotDelivered),
    time_limit=timedelta(seconds=30),
)
def deliver_webhook(url: str, event: str, data: dict[str, Any]) -> int:
    """Deliver one event and return the receiver's HTTP status."""
    job = this_job()
    return post_event(url, job.id if job else uuid4().hex, event, data)


def post_event(url: str, message_id: str, event: str, data: dict[str, Any]) -> int:
    """POST the signed event; messages name the host only, for a URL may carry a token.

    Raises:
        NotDelivered: The receiver asks for patience (429) or is broken (5xx).
        Refused: The receiver does not want it, now or later (any other 4xx).
    """
    body = json.dumps({"type": event, "data": data}, separators=(",", ":")).encode()
    secret = get_settings().webhook_secret.get_secret_value()
    headers = signed_headers(message_id, int(time.time()), body, secret)
    with httpx2.Client(timeout=_TIMEOUT_S) as client:
        answer = client.post(url, content=body, headers=headers)
    if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        raise NotDelivered(f"{answer.url.host} answered {answer.status_code}")
    if answer.is_error:
        raise Refused(f"{answer.url.host} answered {answer.status_code}")
    return answer.status_code
