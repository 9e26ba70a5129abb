"""A vault in this process: nothing is on disk, and nothing outlives it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from frostbyte.adapters.vault import age
from frostbyte.adapters.vault.names import checked
from frostbyte.control_plane.provisioning.resources import Owner


class MemoryVault:
    """See control_plane.provisioning.ports.Vault.

    Args:
        recovery: the recovery recipient; '' for none.
    """

    def __init__(self, recovery: str = "") -> None:
        self._recovery = recovery
        self._identities: dict[Owner, list[str]] = {}
        """Public halves, newest last."""
        self._turns: dict[Owner, str] = {}
        self._values: dict[Owner, dict[str, str]] = {}
        self._lock = threading.RLock()

    def recipients(self, owner: Owner) -> tuple[str, ...]:
        """Its own and the recovery recipient's."""
        with self._lock:
            own = self._identities.setdefault(owner, [age.fresh()[1]])[-1]
        return (own, self._recovery) if self._recovery else (own,)

    def sealed(self, owner: Owner) -> bool:
        """Whether something was sealed."""
        return owner in self._values

    def open(self, owner: Owner) -> dict[str, str]:
        """A copy of what was sealed."""
        with self._lock:
            return dict(self._values.get(owner, {}))

    def keep(self, owner: Owner, values: Mapping[str, str]) -> dict[str, str]:
        """Seal the names that are not there yet."""
        with self._lock:
            held = self.open(owner)
            if checked(values).keys() - held.keys():
                self.seal(owner, {**values, **held})
            return self.open(owner)

    def seal(self, owner: Owner, values: Mapping[str, str]) -> None:
        """Replace what is sealed."""
        with self._lock:
            self.recipients(owner)
            self._values[owner] = checked(values)

    def rotate(self, owner: Owner, turn: str) -> str:
        """Another identity, once a turn."""
        with self._lock:
            self.recipients(owner)
            if self._turns.get(owner) != turn:
                self._turns[owner] = turn
                self._identities[owner].append(age.fresh()[1])
            return self._identities[owner][-1]

    def holds(self, owner: Owner) -> tuple[str, ...]:
        """Identities, and whether something is sealed."""
        with self._lock:
            held = [f"identity {public}" for public in self._identities.get(owner, [])]
            return (*held, "sealed secrets") if owner in self._values else tuple(held)

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        """Forget values and identities."""
        with self._lock:
            gone = self.holds(owner)
            for kept in (self._turns, self._identities, self._values):
                kept.pop(owner, None)
        return gone
