"""What the tests of the channel share: keys, directives, and a clock for leases."""

from __future__ import annotations

from typing import Any

from frostbyte.kernel.directive import Directive, sign_directive
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.signing import SigningKey
from frostbyte.kernel.verifying_keys import PinnedKeys

KEY = SigningKey(bytes([7]) * 32)
NEXT_KEY = SigningKey(bytes([8]) * 32)
FOREIGN_KEY = SigningKey(bytes([9]) * 32)
PINNED = PinnedKeys((KEY.public,))


class Ticking:
    """A forward clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def directive(nonce: str, *, key: SigningKey = KEY, **values: Any) -> str:
    """A signed directive; active, version 1, for `acme`, unless told otherwise."""
    said: dict[str, Any] = {"tenant_id": "acme", "version": 1, "state": PlaneState.ACTIVE, "issued_at": 1_770_000_000}
    return sign_directive(Directive(nonce=nonce, **(said | values)), key)
