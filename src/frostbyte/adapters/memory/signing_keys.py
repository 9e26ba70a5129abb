"""Keys that sign tokens, in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.signing_keys import Change
from frostbyte.kernel.signing import SigningKey, SigningKeys
from frostbyte.kernel.tokens import LONGEST


class MemoryTokenKeys:
    """See kernel.ports.signing_keys.SigningKeyStore.

    Args:
        clock: says since when a key signs.
        first: the key that is there; default: a new one.
    """

    def __init__(self, clock: Clock, first: SigningKey | None = None) -> None:
        self._clock = clock
        self._keys: list[tuple[SigningKey, datetime]] = [(first or SigningKey(os.urandom(32)), clock.now())]
        self._changes: dict[UUID, Change] = {}

    def keys(self) -> SigningKeys:
        """See the port."""
        current, made_at = self._keys[-1]
        over = len(self._keys) < 2 or self._clock.now() >= made_at + LONGEST
        return SigningKeys(current=current, made_at=made_at, previous=None if over else self._keys[-2][0])

    def outdated(self) -> Sequence[str]:
        """See the port."""
        accepted = {key.kid for key in self.keys().accepted}
        return [key.kid for key, _ in self._keys if key.kid not in accepted]

    def intend(self, change: Change) -> None:
        """See the port."""
        self._changes[change.event_id] = change

    def intended(self) -> Sequence[Change]:
        """See the port."""
        return list(self._changes.values())

    def carry_out(self, change: Change) -> None:
        """See the port."""
        keys = self._keys
        if change.added is not None and change.added.kid not in {key.kid for key, _ in keys}:
            keys = [*keys, (change.added, self._clock.now())]
        self._keys = [*(held for held in keys[:-1] if held[0].kid not in change.retired), keys[-1]]
        self.forget(change)

    def forget(self, change: Change) -> None:
        """See the port."""
        self._changes.pop(change.event_id, None)
