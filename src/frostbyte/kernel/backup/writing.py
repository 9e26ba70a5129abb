"""Writing a snapshot: pieces are gathered in packs, packs are stored beside the work, and their list comes last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from frostbyte.kernel.backup import packs
from frostbyte.kernel.backup.packs import FULL, PIECE, Filling, Place
from frostbyte.kernel.backup.snapshot import Member, Snapshot, named
from frostbyte.kernel.backup.target import Target
from frostbyte.kernel.clock import iso
from frostbyte.kernel.ids import new_id

_AT_ONCE: Final = 2
"""Packs that are sealed and sent at once; as many wait. Each takes 8 MiB of memory three times."""
_CROWDED: Final = 8192
"""Pieces after which a pack is closed, however small they are: its head stays short."""


class SnapshotWriter:
    """Writes one snapshot. Nothing of it is a backup before `commit` has returned; leave it with `close`.

    Args:
        target: where to.
        key: the repository's.
        parent: the snapshot that this one may refer to.
        newest: the last snapshot's name, '' before the first: this one's will sort after it.
        save: makes the snapshot's list durable.
    """

    def __init__(
        self, target: Target, key: bytes, parent: Snapshot | None, newest: str, save: Callable[[Snapshot], None]
    ) -> None:
        self._target, self._key, self._newest, self._save = target, key, newest, save
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="backup")
        self._sending: deque[tuple[int, Future[tuple[bytes, int]]]] = deque()
        self._table: list[bytes] = []
        self._sizes: list[int] = []
        self._used: list[int] = []
        self._slots: dict[bytes, int] = {}
        self._members: list[Member] = []
        self._filling: Filling | None = None
        self._written = 0
        self._size = 0
        there = set(packs.listed(target))
        known = parent.packs if parent else ()
        self.lost: frozenset[bytes] = frozenset(known) - there
        """Packs of the parent that the target does not have any more: what they held has to be stored again."""
        self._stray = there.difference(known)
        self._old = {member.name: member for member in parent.members} if parent else {}
        self._old_packs = known
        self._old_sizes = dict(zip(known, parent.sizes, strict=True)) if parent else {}
        self._known = self._pieces_of(parent) if parent else {}

    def put(self, data: bytes, *, tag: bytes = b"", squeeze: bool = False) -> Place:
        """Store a piece; `pack` of its place is a number in this writer's `table`.

        Args:
            tag: what a run after a cut-off one knows it by (`strays`).
            squeeze: whether compressing it may be worth while. What is sealed already is not.
        """
        filling = self._filling
        if filling is None:
            filling = self._filling = Filling(len(self._table))
            self._table.append(b"")
            self._sizes.append(0)
            self._used.append(0)
        place = filling.add(data, tag, squeeze=squeeze)
        self._size += place.size
        self._used[place.pack] += place.size
        if filling.size >= FULL or filling.count >= _CROWDED:
            self._send()
        return place

    def keep(self, pack: bytes, place: Place) -> Place:
        """Have the snapshot need what is stored already, in a pack of the parent or one of `strays`.

        Returns:
            the same place, as this writer's table counts.
        """
        slot = self._slot(pack)
        self._size += place.size
        self._used[slot] += place.size
        return replace(place, pack=slot)

    def keep_packs(self, slots: Iterable[int], size: int) -> list[int]:
        """Have the snapshot need packs of the parent for places that a member tells which is kept as it is.

        Args:
            slots: their numbers in the parent's table.
            size: bytes that those places take, in all.

        Returns:
            their numbers in this writer's table.
        """
        self._size += size
        return [self._slot(self._old_packs[slot]) for slot in slots]

    def crowded(self, slots: Iterable[int], share: float) -> bool:
        """Whether the snapshot uses less than this share of one of these packs."""
        return any(self._used[slot] < share * self._sizes[slot] for slot in slots)

    def member(self, name: str, blocks: Iterable[bytes], *, squeeze: bool = True) -> None:
        """Store a named part. A piece of it that the parent has too is not stored again.

        Args:
            blocks: its bytes. Each block is a piece of its own, at most a MiB long (longer ones are divided): blocks
                that end at the same places as before are found again.
        """
        pieces: list[Place] = []
        size = 0
        for block in _divided(blocks):
            size += len(block)
            found = self._known.get(packs.digest(block))
            pieces.append(self.keep(*found) if found else self.put(block, squeeze=squeeze))
        self._members.append(Member(name, size, tuple(pieces)))

    def keep_member(self, name: str) -> bool:
        """Have a member be as it is in the parent; False where the parent has none, or has lost some of it."""
        old = self._old.get(name)
        if old is None or any(self._old_packs[place.pack] in self.lost for place in old.pieces):
            return False
        pieces = tuple(self.keep(self._old_packs[place.pack], place) for place in old.pieces)
        self._members.append(Member(name, old.size, pieces))
        return True

    def strays(self) -> Iterator[tuple[bytes, bytes, Place]]:
        """What packs hold that the parent does not name: tag, pack, place. A run that was cut off has left them."""
        for pack in self._stray:
            found = packs.entries(self._target, self._key, pack)
            self._old_sizes[pack] = sum(entry.size for entry in found)
            for entry in found:
                if entry.tag:
                    yield entry.tag, pack, Place(0, entry.at, entry.size, entry.sha256, entry.squeezed)

    @property
    def table(self) -> Sequence[bytes]:
        """SHA-256 of the packs that places count into; of those that are being stored it is known after `settle`."""
        return self._table

    def settle(self) -> None:
        """Have everything be stored that was put; from then on `table` knows it."""
        if self._filling is not None:
            self._send()
        while self._sending:
            self._arrived()

    def commit(self, *, taken_at: datetime, facts: dict[str, Any]) -> Snapshot:
        """Make it a snapshot: everything is stored, then its list is.

        Args:
            taken_at: the moment whose state it is.
            facts: what its owner wants to know of it before anything else is read.
        """
        self.settle()
        snapshot_id = new_id()
        snapshot = Snapshot(
            name=named(taken_at, snapshot_id, self._newest),
            snapshot_id=snapshot_id,
            taken_at=iso(taken_at),
            facts=facts,
            packs=tuple(self._table),
            sizes=tuple(self._sizes),
            members=tuple(self._members),
            written=self._written,
            size=self._size,
        )
        self._save(snapshot)
        return snapshot

    def close(self) -> None:
        """Let go of the threads. What was not committed stays as packs that no snapshot names."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> SnapshotWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _slot(self, pack: bytes) -> int:
        slot = self._slots.get(pack)
        if slot is None:
            slot = self._slots[pack] = len(self._table)
            self._table.append(pack)
            self._sizes.append(self._old_sizes[pack])
            self._used.append(0)
        return slot

    def _send(self) -> None:
        filling = self._filling
        assert filling is not None  # only what is filled is sent
        self._filling = None
        self._sizes[filling.slot] = filling.size
        while len(self._sending) >= 2 * _AT_ONCE:
            self._arrived()
        self._sending.append((filling.slot, self._threads.submit(self._store, filling)))

    def _arrived(self) -> None:
        slot, future = self._sending.popleft()
        self._table[slot], size = future.result()
        self._written += size

    def _store(self, filling: Filling) -> tuple[bytes, int]:
        sealed = filling.sealed(self._key)
        pack = packs.digest(sealed)
        self._target.put(packs.name_of(pack), sealed)
        return pack, len(sealed)

    def _pieces_of(self, parent: Snapshot) -> dict[bytes, tuple[bytes, Place]]:
        """Pieces of the parent's members that are still there, by their SHA-256."""
        return {
            place.sha256: (parent.packs[place.pack], place)
            for member in parent.members
            for place in member.pieces
            if parent.packs[place.pack] not in self.lost
        }


def _divided(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        if len(block) <= PIECE:
            yield block
            continue
        for start in range(0, len(block), PIECE):
            yield block[start : start + PIECE]
