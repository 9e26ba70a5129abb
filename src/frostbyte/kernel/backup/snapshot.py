"""What a snapshot is, as it is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from frostbyte.kernel.backup.packs import Place


class Member(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A named part of a snapshot: its size in bytes, and where its pieces lie, in order."""

    name: str
    size: int
    pieces: tuple[Place, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository has of one moment.

    Attributes:
        name: of time and id: names sort as snapshots were taken.
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
