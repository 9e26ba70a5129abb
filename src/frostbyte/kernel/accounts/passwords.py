"""Passwords: which are taken, and what is kept of them.

    scrypt${log2 N}${r}${p}${salt}${hash}      salt and hash in base64url

scrypt (RFC 7914) with N = 2^15, r = 8, p = 3: 32 MiB for each guess, and one of the settings that OWASP's Password
Storage Cheat Sheet names as equal. Which characters a password has is nobody's rule, how long it is (NIST SP 800-63B,
section 3.1.1): people who must mix characters choose worse ones.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from frostbyte.kernel.errors import Invalid, Unavailable

SHORTEST: Final = 12
LONGEST: Final = 256
"""Characters. What is longer is a mistake, or work for nothing."""
_DIFFERENT: Final = 5
"""So many different characters at least."""
_SALT: Final = 16
_LENGTH: Final = 32
_WAIT_SECONDS: Final = 5.0


class Cost(msgspec.Struct, frozen=True):
    """What one guess costs: 128 * r * 2^log_n bytes of memory, p times."""

    log_n: int = 15
    r: int = 8
    p: int = 3


USUAL: Final = Cost()


class Bench:
    """Where passwords are tried, so many at once: a flood of guesses must not take all memory and processors.

    Browsers that somebody signed in with before have a place that strangers cannot take.
    """

    def __init__(self) -> None:
        self._places = {True: threading.Semaphore(1), False: threading.Semaphore(1)}

    @contextmanager
    def place(self, *, known: bool) -> Iterator[None]:
        """Wait for a place and hold it.

        Raises:
            Unavailable: `sign_in_busy`: none was free for five seconds.
        """
        if not self._places[known].acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("sign_in_busy", "Too many people are signing in at once.", "Try again in a minute.")
        try:
            yield
        finally:
            self._places[known].release()


def check(password: str, name: str) -> None:
    """See that a new password is good enough.

    Raises:
        Invalid: `password_short`, `password_long`, `password_plain`: it is the name, or hardly any characters.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise Invalid(
            "password_short",
            f"The password has less than {SHORTEST} characters.",
            "Take a longer one: four words that have nothing to do with each other are good.",
        )
    if len(plain) > LONGEST:
        raise Invalid("password_long", f"The password has more than {LONGEST} characters.", "Take a shorter one.")
    if name in plain.lower() or len(set(plain)) < _DIFFERENT:
        raise Invalid(
            "password_plain",
            "The password holds the name, or is made of very few different characters.",
            "Take another one: four words that have nothing to do with each other are good.",
        )


def stored(password: str, cost: Cost = USUAL) -> str:
    """What is kept of a password."""
    salt = os.urandom(_SALT)
    digest = _digest(password, salt, cost)
    return f"scrypt${cost.log_n}${cost.r}${cost.p}${_written(salt)}${_written(digest)}"


def fits(password: str, kept: str, cost: Cost = USUAL) -> bool:
    """Whether it is the password that was kept so. Where none was, it takes as long to say no.

    Args:
        password: what was typed.
        kept: by `stored`, or ''.
        cost: of passwords that are kept now.
    """
    if len(password) > LONGEST:
        return False
    if not kept:
        _digest(password, bytes(_SALT), cost)
        return False
    _, log_n, r, p, salt, digest = kept.split("$")
    found = _digest(password, urlsafe_b64decode(salt), Cost(int(log_n), int(r), int(p)))
    return hmac.compare_digest(found, urlsafe_b64decode(digest))


def _digest(password: str, salt: bytes, cost: Cost) -> bytes:
    n = 1 << cost.log_n
    most = 128 * cost.r * (n + cost.p + 2) + (1 << 20)  # what OpenSSL is allowed to take, with room to spare
    # HMAC, which scrypt begins with, fills a short key with zeros: passwords that differ in those alone would be one.
    whole = hashlib.sha256(_normal(password).encode()).digest()
    return hashlib.scrypt(whole, salt=salt, n=n, r=cost.r, p=cost.p, maxmem=most, dklen=_LENGTH)


def _normal(password: str) -> str:
    """The same whichever keyboard composed its accents (Unicode NFKC, as NIST asks)."""
    return unicodedata.normalize("NFKC", password)


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode()
