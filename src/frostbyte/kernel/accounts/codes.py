"""Codes of authenticators (TOTP, RFC 6238), and what seals and signs besides: one key for each purpose.

A code counts once. Its secret has to be known in the clear to be checked, so it is sealed by a key that lies with the
server's other keys and not in its database: who has the one without the other has nothing.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
from base64 import b32encode, b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Final

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.sealing import derive

STEP_SECONDS: Final = 30
"""That a code is shown for (RFC 6238, section 5.2)."""
_EARLY_OR_LATE: Final = 1
"""Steps that a clock may be wrong by (the same section)."""
_SECRET: Final = 20
"""Bytes, as RFC 4226 recommends (section 4)."""
_NONCE: Final = 12
_DEVICE: Final = 16


class Secrets:
    """Seals authenticators' secrets, and signs what a browser is known by.

    Args:
        key: 32 bytes, asked for when they are first needed: the same in each process that signs people in.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    @functools.cached_property
    def _seals(self) -> AESGCM:
        return AESGCM(derive(self._key(), "authenticators"))

    @functools.cached_property
    def _signs(self) -> bytes:
        return derive(self._key(), "known browsers")

    def fresh(self, name: str) -> bytes:
        """A new authenticator's secret for an account, sealed."""
        nonce = os.urandom(_NONCE)
        return nonce + self._seals.encrypt(nonce, os.urandom(_SECRET), name.encode())

    def shown(self, name: str, sealed: bytes) -> str:
        """The secret as people type it: 32 characters of A-Z and 2-7.

        Raises:
            FrostbyteError: `authenticator_unreadable`: it was sealed by another key.
        """
        try:
            secret = self._seals.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            raise FrostbyteError(
                "authenticator_unreadable",
                "The authenticator of this account cannot be read: it was sealed by a key that is not here any more.",
                "Have a new link made: `frostbyte account recover NAME` on the server's host.",
            ) from None
        return b32encode(secret).decode()

    def step(self, name: str, sealed: bytes, code: str, now: datetime, after: int) -> int | None:
        """The step whose code this is, or None: it is wrong, or was used.

        Args:
            after: the step that was accepted last.
        """
        typed = code.replace(" ", "")
        current = int(now.timestamp()) // STEP_SECONDS
        generator, found = pyotp.TOTP(self.shown(name, sealed)), None
        for step in range(current - _EARLY_OR_LATE, current + _EARLY_OR_LATE + 1):
            right = hmac.compare_digest(generator.generate_otp(step).encode(), typed.encode())
            found = step if right and step > after else found
        return found

    def known(self, name: str) -> str:
        """What a browser is given that somebody signed in with: it says nothing of who that was."""
        nonce = os.urandom(_DEVICE)
        return urlsafe_b64encode(nonce + self._signed(name, nonce)).decode().rstrip("=")

    def knows(self, name: str, device: str) -> bool:
        """Whether this browser was given that for this name."""
        if len(device) != 64:
            return False
        try:
            raw = b64decode(device, altchars=b"-_", validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(self._signed(name, raw[:_DEVICE]), raw[_DEVICE:])

    def _signed(self, name: str, nonce: bytes) -> bytes:
        return hmac.new(self._signs, nonce + name.encode(), hashlib.sha256).digest()


def address(secret: str, name: str, place: str) -> str:
    """What an authenticator reads from the picture (Key Uri Format).

    Args:
        place: the tenant or environment, so that several accounts of a person are told apart.
    """
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"Frostbyte {place}")
