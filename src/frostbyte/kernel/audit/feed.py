"""The log as a ledger pulls it: the lines of an export and the checkpoints over them, from any place on."""

from __future__ import annotations

from frostbyte.kernel.channel import CHECKPOINTS_LIMIT, EVENTS_BYTES, EVENTS_LIMIT, PlaneCheckpoints
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory


class Feed:
    """Reads the log of one plane.

    Args:
        unit_of_work: opens transactions.
        most_bytes: of one answer, unless its first event is longer.
    """

    def __init__(self, unit_of_work: UnitOfWorkFactory, most_bytes: int = EVENTS_BYTES) -> None:
        self._unit_of_work = unit_of_work
        self._most_bytes = most_bytes

    def events(self, after: int, limit: int) -> bytes:
        """Lines of events numbered above `after`, at most `limit`, up to the newest checkpoint. See EVENTS_LIMIT."""
        with self._unit_of_work() as uow:
            latest = uow.audit.latest_checkpoint()
            if latest is None or latest.size <= after + 1:
                return b""
            lines = uow.audit.lines(after_sequence=after, until=latest.size, limit=min(limit, EVENTS_LIMIT))
        whole = b"".join(lines)
        if len(whole) <= self._most_bytes:
            return whole
        cut = max(whole.rfind(b"\n", 0, self._most_bytes), len(lines[0]) - 1)
        return whole[: cut + 1]

    def checkpoints(self, after_size: int) -> PlaneCheckpoints:
        """Signed checkpoints over more than `after_size` events, smallest first, and the newest of all."""
        with self._unit_of_work() as uow:
            rows = uow.audit.checkpoints(after_size=after_size, limit=CHECKPOINTS_LIMIT)
            latest = uow.audit.latest_checkpoint()
        return PlaneCheckpoints(
            checkpoints=tuple(row.note for row in rows), latest=latest.note if latest is not None else None
        )
