"""Who may do what: the server's own key, or tokens signed with it, as Qdrant has them.

A token is a JWT signed by HMAC-SHA256 with the server's key (https://qdrant.tech/documentation/guides/security,
"Granular access control with JWT"). Its `access` is "r" (read everything), "m" (everything), or a list of collections,
each with "r" or "rw"; without `access` it may do everything. Making and removing collections needs "m".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, Literal

import jwt
import msgspec

from frostbyte.api.vectors.refusals import Refused


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The right on one collection."""

    collection: str
    access: Literal["r", "rw"]


class Right(IntEnum):
    """What a request needs, each including the one before."""

    READ = 0
    WRITE = 1
    MANAGE = 2


class Grant:
    """What a caller may do.

    Args:
        everywhere: the right on all collections; None for one that knows single collections alone.
        single: the right on each of these.
    """

    def __init__(self, everywhere: Right | None, single: Mapping[str, Right] | None = None) -> None:
        self._everywhere = everywhere
        self._single = dict(single or {})

    def require(self, right: Right, collection: str = "") -> None:
        """Raises Refused(403) if the caller may not do it there.

        Args:
            collection: '' for what concerns the whole server.
        """
        if self._everywhere is not None:
            if right > self._everywhere:
                raise Refused(403, "Forbidden: Global manage access is required")
            return
        held = self._single.get(collection)
        if held is None:
            wanted = f"Access to collection {collection} is required" if collection else "Global access is required"
            raise Refused(403, f"Forbidden: {wanted}")
        if right is Right.MANAGE:
            raise Refused(403, "Forbidden: Manage access for this operation is required")
        if right > held:
            raise Refused(403, f"Forbidden: Write access to collection {collection} is required")

    def sees(self, collection: str) -> bool:
        """Whether the collection is shown to the caller in a list."""
        return self._everywhere is not None or collection in self._single


EVERYTHING: Final = Grant(Right.MANAGE)


class Access:
    """The door.

    Args:
        key: the server's own key; '' lets everybody in (only for an address that nobody else reaches).
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        # An HMAC of each side is compared: equal length, and nothing is learnt from where two keys begin to differ.
        self._own = self._digest(self._key)

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return not self._key

    def _digest(self, value: bytes) -> bytes:
        return hmac.new(b"frostbyte vectors", value, hashlib.sha256).digest()

    def admit(self, headers: Mapping[str, str]) -> Grant:
        """What the sender of these headers may do. Raises Refused(401)."""
        if self.open:
            return EVERYTHING
        given = headers.get("api-key", "")
        bearer = headers.get("authorization", "")
        if not given and bearer[:7].lower() == "bearer ":
            given = bearer[7:].strip()
        if not given:
            raise Refused(401, "Must provide an API key or an Authorization bearer token")
        if hmac.compare_digest(self._digest(given.encode("utf-8", "surrogateescape")), self._own):
            return EVERYTHING
        return self._from_token(given)

    def _from_token(self, token: str) -> Grant:
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options={"verify_exp": False})
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise Refused(401, "Invalid API key or JWT") from None
        expires = claims.get("exp")
        if expires is not None and (type(expires) is not int or expires <= time.time()):
            raise Refused(401, "Invalid API key or JWT: it has expired")
        if claims.get("value_exists") is not None:
            raise Refused(401, "Invalid API key or JWT: value_exists is not known to this stand-in")
        return _granted(claims)


def _granted(claims: Mapping[str, Any]) -> Grant:
    access = claims.get("access", "m")
    if access in ("r", "m"):
        return Grant(Right.READ if access == "r" else Right.MANAGE)
    single: dict[str, Right] = {}
    try:
        entries = msgspec.convert(access, list[_Entry])
    except msgspec.ValidationError:
        raise Refused(401, "Invalid API key or JWT: its access is not known to this stand-in") from None
    for entry in entries:
        if entry.collection in single:
            raise Refused(401, "Invalid API key or JWT: a collection is named twice")
        single[entry.collection] = Right.READ if entry.access == "r" else Right.WRITE
    return Grant(None, single)
