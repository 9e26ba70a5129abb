"""What signs messages, and what seals addresses.

A secret is not stored. It is made of a key that only the plane has and of the webhook's salt, each time that it is
needed: what lies in the database, its backups and its copies signs nothing and opens no address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from frostbyte.kernel.sealing import SealBroken, derive

PREFIX: Final = "whsec_"
"""How a secret that is shown begins (Standard Webhooks, "Secret")."""
SALT_BYTES: Final = 16
_NONCE: Final = 12


class WebhookKeys:
    """Made of one key of the plane's.

    Args:
        key: 32 bytes that never change, or every receiver would need another secret.
    """

    def __init__(self, key: bytes) -> None:
        self._signing = derive(key, "webhook secrets")
        self._sealing = derive(key, "webhook addresses")

    @staticmethod
    def new_salt() -> bytes:
        """For a secret that nobody has had before."""
        return os.urandom(SALT_BYTES)

    def secret(self, webhook_id: UUID, salt: bytes) -> bytes:
        """The 32 bytes that a webhook signs with."""
        return hmac.new(self._signing, webhook_id.bytes + salt, hashlib.sha256).digest()

    def seal(self, webhook_id: UUID, url: str) -> bytes:
        """An address, for this webhook alone; two seals of one address differ."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._sealing).encrypt(nonce, url.encode(), webhook_id.bytes)

    def open(self, webhook_id: UUID, sealed: bytes) -> str:
        """The inverse of `seal`. Raises SealBroken."""
        try:
            return AESGCM(self._sealing).decrypt(sealed[:_NONCE], sealed[_NONCE:], webhook_id.bytes).decode()
        except (InvalidTag, ValueError):
            raise SealBroken from None


def shown(secret: bytes) -> str:
    """A secret as people carry it to a receiver."""
    return PREFIX + base64.b64encode(secret).decode()
