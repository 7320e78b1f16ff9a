"""Webhooks: hand an event over for delivery."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Response, status
from pydantic import BaseModel, HttpUrl

from app.api.jobs import accepted
from app.jobs import Job, enqueue
from app.settings import get_settings
from app.tasks.webhooks import deliver_webhook

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class Webhook(BaseModel):
    """An event and where it goes."""

    url: HttpUrl
    event: str
    data: dict[str, Any]


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def deliver(
    webhook: Webhook, response: Response, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Job:
    """Deliver the event, signed, with retries; a repeat with the same key is delivered once."""
    # Without a list of hosts, anybody could make this service call its own network.
    if webhook.url.host not in get_settings().webhook_hosts:
        raise HTTPException(422, f"{webhook.url.host} is not in WEBHOOK_HOSTS")
    job = await enqueue(deliver_webhook, str(webhook.url), webhook.event, webhook.data, idempotency_key=idempotency_key)
    return accepted(job, response)
