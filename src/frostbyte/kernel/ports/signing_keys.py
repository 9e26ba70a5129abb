"""Port: where the keys that sign tokens are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from frostbyte.kernel.signing import SigningKey, SigningKeys


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of keys that was intended, and is done once its audit event is there."""

    event_id: UUID
    """The event that says it; without it in the log the change is forgotten."""
    added: SigningKey | None
    retired: tuple[str, ...]
    """Ids of keys that are no longer accepted."""


class SigningKeyStore(Protocol):
    """One key that signs, at most one before it that is still accepted, and changes that are under way.

    Every process that shares the store sees a change at its next question.
    """

    def keys(self) -> SigningKeys:
        """The keys of this moment. A previous key ends by itself when no token that it signed can be valid any more.

        Raises:
            Unavailable: `signing_keys_unreadable`.
            Conflict: `secret_missing`; Invalid: `secret_permissions`, `secret_damaged`.
        """
        ...

    def outdated(self) -> Sequence[str]:
        """Ids of keys that are kept and no longer accepted."""
        ...

    def intend(self, change: Change) -> None:
        """Keep what is to be done, durably; nothing changes yet."""
        ...

    def intended(self) -> Sequence[Change]:
        """What was intended and neither carried out nor forgotten."""
        ...

    def carry_out(self, change: Change) -> None:
        """Do it and forget the intention. Doing it again changes nothing; the key that signs is never retired."""
        ...

    def forget(self, change: Change) -> None:
        """Forget the intention."""
        ...
