"""The headers that prove a message: Standard Webhooks 1.0, with symmetric signatures (`v1`).

Signed is `{id}.{timestamp}.{body}` by HMAC-SHA256. The id is the same at every attempt, so a receiver knows what it has
had; the time is the attempt's, so what somebody recorded is too old soon.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature: `v1,` and base64.

    Args:
        secret: the raw bytes.
        message_id: has no dot in it.
        timestamp: of the attempt, seconds since 1970.
        body: the bytes that are sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def headers(secrets: Sequence[bytes], message_id: UUID | str, now: datetime, body: bytes) -> dict[str, str]:
    """All headers of an attempt but those of HTTP itself; while a secret is replaced, both sign."""
    timestamp = int(now.timestamp())
    signatures = (signature(secret, str(message_id), timestamp, body) for secret in secrets)
    return {
        "content-type": "application/json",
        "webhook-id": str(message_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
