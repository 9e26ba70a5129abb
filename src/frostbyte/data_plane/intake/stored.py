"""How much the tenant stores, without a sum over all documents for each file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from frostbyte.data_plane.intake.outcomes import GIB
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory

_AGE: Final = timedelta(seconds=10)
"""How long a sum is believed while files are coming in."""
_NEAR: Final = GIB
"""So near the quota it is not believed."""


class Stored:
    """The sum, as this process knows it."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._used = 0
        self._at: datetime | None = None

    def bytes(self, quota: int) -> int:
        """Bytes the tenant stores.

        A sum over all documents, so it is believed for a while, with what came in since through this process; other
        processes may overshoot the quota by what they take in meanwhile. Near the quota it is taken for each file.

        Args:
            quota: bytes the tenant may store.
        """
        now, used, at = self._clock.now(), self._used, self._at
        if at is None or not timedelta() <= now - at <= _AGE or quota - used < _NEAR:
            with self._unit_of_work(reading=True) as uow:
                used = uow.documents.stored_bytes()
            self._used, self._at = used, now
        return used

    def took_in(self, size: int) -> None:
        """A new document of `size` bytes is stored."""
        self._used += size
