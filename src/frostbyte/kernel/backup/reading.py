"""Reading a snapshot. Packs are fetched whole, compared with their names, and a few of them kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from frostbyte.kernel.backup import packs
from frostbyte.kernel.backup.packs import Place
from frostbyte.kernel.backup.snapshot import Member, Snapshot
from frostbyte.kernel.backup.target import Target, damaged

_HELD: Final = 4
"""Packs in memory, 8 MiB each: whoever reads in the order of the packs fetches each once."""


class SnapshotReader:
    """Reads one snapshot. Threads may share it.

    Args:
        target: where the packs are.
        key: the repository's.
        snapshot: which.
    """

    def __init__(self, target: Target, key: bytes, snapshot: Snapshot) -> None:
        self._target, self._key = target, key
        self.snapshot = snapshot
        self._members = {member.name: member for member in snapshot.members}
        self._lock = threading.Lock()
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()

    def names(self, prefix: str = "") -> list[str]:
        """Names of the members that begin so, in order."""
        return [name for name in self._members if name.startswith(prefix)]

    def size(self, name: str) -> int:
        """Bytes of a member. Raises Invalid("backup_damaged") where there is no such member."""
        return self._member(name).size

    def blocks(self, name: str) -> Iterator[bytes]:
        """A member's bytes, each block compared with its SHA-256. Raises Invalid("backup_damaged")."""
        for place in self._member(name).pieces:
            yield self.piece(self.snapshot.packs[place.pack], place)

    def whole(self, name: str) -> bytes:
        """All of a member. Raises Invalid("backup_damaged")."""
        return b"".join(self.blocks(name))

    def piece(self, pack: bytes, place: Place) -> bytes:
        """One piece, of a pack that the snapshot names. Raises Invalid("backup_damaged")."""
        return packs.piece(self.body(pack), place)

    def body(self, pack: bytes) -> bytes:
        """What a pack holds. Raises Invalid("backup_damaged")."""
        with self._lock:
            if pack in self._bodies:
                self._bodies.move_to_end(pack)
                return self._bodies[pack]
            found = self._bodies[pack] = packs.body(self._target, self._key, pack)
            if len(self._bodies) > _HELD:
                self._bodies.popitem(last=False)
            return found

    def _member(self, name: str) -> Member:
        found = self._members.get(name)
        if found is None:
            raise damaged("something that the snapshot should name")
        return found
