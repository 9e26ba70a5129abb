"""Keys that sign and keys that verify: Ed25519 (RFC 8032) and compact JWS (RFC 7515, RFC 8037), one algorithm.

What a header says is believed in one thing: which of the keys that are accepted anyway is to be tried. Its `typ` keeps
apart what one key signs (a token, a directive): it is signed too, and whoever opens something asks for theirs.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ALGORITHM: Final = "EdDSA"
_PREFIX: Final = "ed25519:"
_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])


class Unreadable(Exception):
    """What should be signed is no compact JWS of ours."""


class WrongSignature(Exception):
    """No accepted key signed it."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key, and how it is written for people: `ed25519:` and 43 characters of base64url (RFC 4648)."""

    raw: bytes
    """32 bytes."""

    @property
    def kid(self) -> str:
        """The key's id: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.

        An id only chooses among keys that are trusted already, so that nobody gains by making a second key with it.
        """
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def __str__(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(self.raw).rstrip(b"=").decode()


def verifying_key(text: str) -> VerifyingKey:
    """Read a key as it is written for people.

    Raises:
        ValueError: it is not one, or not in the one form that it has.
    """
    if not text.startswith(_PREFIX) or not text.isascii():
        raise ValueError("no Ed25519 verifying key")
    try:
        key = VerifyingKey(base64.urlsafe_b64decode(text[len(_PREFIX) :] + "="))
    except binascii.Error:
        raise ValueError("no Ed25519 verifying key") from None
    if len(key.raw) != 32 or str(key) != text:
        raise ValueError("no Ed25519 verifying key")
    return key


class SigningKey:
    """A private key.

    Args:
        seed: 32 random bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = VerifyingKey(self._key.public_key().public_bytes_raw())
        self.kid = self.public.kid

    def sign(self, payload: Mapping[str, Any], kind: str) -> str:
        """The payload as a compact JWS.

        Args:
            payload: what JSON can hold.
            kind: the header's `typ`: what this is, so that it is never taken for something else.
        """
        data = json.dumps(payload, separators=(",", ":")).encode()
        return _JWS.encode(data, self._key, algorithm=_ALGORITHM, headers={"typ": kind, "kid": self.kid})


class SigningKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a plane or of a control environment: one signs, and the one before is still accepted."""

    current: SigningKey
    made_at: datetime
    """When the current key began to sign."""
    previous: SigningKey | None = None

    @property
    def accepted(self) -> tuple[VerifyingKey, ...]:
        """Whose signatures are good: the current key's, and the previous one's until it is retired."""
        return (self.current.public,) if self.previous is None else (self.current.public, self.previous.public)

    @property
    def anchor(self) -> SigningKey:
        """The key that whoever learns keys by being told is sure to know: the previous one as long as there is one."""
        return self.current if self.previous is None else self.previous


KeySource = Callable[[], SigningKeys]
"""The keys of this moment: asked each time, because another process may have changed them."""


def opened(token: str, accepted: Sequence[VerifyingKey], kind: str) -> tuple[dict[str, Any], str]:
    """(payload, id of the key that signed) of a compact JWS.

    Without a key id in its header every accepted key is tried: tokens had none before keys could be rotated.

    Args:
        token: from outside; anything.
        accepted: the keys whose signature counts.
        kind: what its `typ` has to be.

    Raises:
        Unreadable: it is no compact JWS, not of this kind, or its payload is no JSON object.
        WrongSignature: none of the accepted keys signed it, or by another algorithm.
    """
    try:
        named = jwt.get_unverified_header(token).get("kid")
        fitting = [key for key in accepted if named is None or key.kid == named]
        for key in fitting:
            try:
                found = _JWS.decode_complete(token, _public(key.raw), algorithms=[_ALGORITHM])
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                continue
            payload = json.loads(found["payload"])
            if found["header"].get("typ") != kind or not isinstance(payload, dict):
                raise Unreadable
            return payload, key.kid
    except (jwt.InvalidTokenError, ValueError, RecursionError):  # the last: a header nested without end
        raise Unreadable from None
    raise WrongSignature


@functools.lru_cache(maxsize=64)
def _public(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
