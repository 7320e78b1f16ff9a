"""Signatures of webhooks, as https://www.standardwebhooks.com describes them."""

import base64
import hashlib
import hmac


def signed_headers(message_id: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers that let the receiver check who sent the body, and drop repeats."""
    signature = sign(message_id, timestamp, body, secret)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def sign(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """Return the base64 HMAC-SHA256 of id, time (Unix seconds) and body."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return base64.b64encode(hmac.digest(secret.encode(), content, hashlib.sha256)).decode()
