"""Keys for machines: what they look like, and what is kept of them.

    fbk_{id}_{secret}      12 and 43 characters of 0-9 A-Z a-z; the secret is 256 random bits

Only the SHA-256 of the whole is stored. Slow hashes (scrypt, argon2) are for what people choose, because that can be
guessed; 256 random bits cannot, however fast a guess is, and a key is checked with every request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

import msgspec

PREFIX: Final = "fbk_"
"""By this a key is told from a token, and found by programs that look for secrets in the wrong place."""
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID: Final = 12
"""Characters: some 71 bits, so that ids of one database do not meet."""
_SECRET: Final = 43
"""Characters: 62 to this power is just above 2 to the power of 256."""
_FORM: Final = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_ID}}})_[0-9A-Za-z]{{{_SECRET}}}", re.ASCII)


class NewKey(msgspec.Struct, frozen=True):
    """A key in the only moment in which it is known."""

    key_id: str
    text: str
    """The key itself; shown once, kept nowhere."""
    sha256: bytes


def new_key() -> NewKey:
    """A key that nobody has."""
    key_id = "".join(secrets.choice(_DIGITS) for _ in range(_ID))
    text = f"{PREFIX}{key_id}_{_base62(secrets.randbits(256))}"
    return NewKey(key_id, text, digest(text))


def id_of(text: str) -> str | None:
    """The id of what looks like a key; None for everything else. Says nothing about whether it is good."""
    match = _FORM.fullmatch(text)
    return match[1] if match else None


def digest(text: str) -> bytes:
    """What is kept of a key: 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def fits(text: str, sha256: bytes) -> bool:
    """Whether it is the key that was stored so; how long that takes says nothing about either."""
    return hmac.compare_digest(digest(text), sha256)


def _base62(number: int) -> str:
    found = []
    for _ in range(_SECRET):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    return "".join(reversed(found))
