"""What a snapshot is, as it is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.kernel.backup.packs import Place

_STAMP: Final = "%Y%m%dT%H%M%SZ"


def named(taken_at: datetime, snapshot_id: UUID, newest: str) -> str:
    """A snapshot's name, of time and id: names sort as snapshots were taken.

    Args:
        newest: the last name there is, '' for none. A second snapshot of the same second, and one of a clock that was
            set back, is a second later in its name: what is restored where nobody names one is the one taken last.
    """
    moment = max(taken_at, moment_of(newest) + timedelta(seconds=1)) if newest else taken_at
    return f"{moment:{_STAMP}}-{snapshot_id.hex[-8:]}"


def moment_of(name: str) -> datetime:
    """The time that a snapshot's name begins with, to the second."""
    return datetime.strptime(name[:16], _STAMP).replace(tzinfo=UTC)


class Member(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A named part of a snapshot: its size in bytes, and where its pieces lie, in order."""

    name: str
    size: int
    pieces: tuple[Place, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository has of one moment.

    Attributes:
        name: see `named`.
        taken_at: ISO 8601 UTC.
        facts: what its owner says of it.
        packs: SHA-256 of every pack that it needs; places count into this table.
        sizes: bytes of the body of each.
        written: bytes that this run stored, of `size` bytes that the snapshot has in all.
    """

    name: str
    snapshot_id: UUID
    taken_at: str
    facts: dict[str, Any]
    packs: tuple[bytes, ...]
    sizes: tuple[int, ...]
    members: tuple[Member, ...]
    written: int = 0
    size: int = 0
