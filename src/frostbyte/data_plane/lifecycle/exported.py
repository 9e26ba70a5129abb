"""Which objects of a document go into an export, and how they are read: small ones many at once, large by parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane import artefacts
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.snapshot import HeldDocument

SMALL: Final = 1 << 20
"""Bytes up to which an object is read in one exchange."""
AHEAD: Final = 16
"""Objects that are read at once: a store answers each in a few milliseconds, whatever its size."""
PART: Final = 4 << 20
"""Bytes of a large object that are read at once."""


class Wanted(msgspec.Struct, frozen=True):
    """An object that belongs into the export.

    Attributes:
        needed: whether a healthy plane has it. What a stage under way may yet leave is taken as far as it is there.
    """

    name: str
    doc_id: UUID
    needed: bool = True


class Read(msgspec.Struct, frozen=True):
    """An object as it was found: its size, and its beginning, which for a small one is all of it."""

    wanted: Wanted
    size: int
    start: bytes


def of_document(row: HeldDocument) -> list[Wanted]:
    """What holds a document's content, and never its key."""
    found = [Wanted(row.raw_object, row.doc_id)]
    for generation in dict.fromkeys((row.active_generation, row.generation)):
        if generation:
            found += [
                Wanted(name, row.doc_id, _needed(row, generation, kind))
                for kind, name in Artefacts.names(row.doc_id, generation)
            ]
    return found


def _needed(row: HeldDocument, generation: str, kind: str) -> bool:
    return generation == row.active_generation and kind not in artefacts.SOMETIMES


class Shelf:
    """Reads objects of a store in the order in which they are wanted, some ahead of the others.

    Use it as a context manager.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="export")

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *exc: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def read(self, wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, Read | None]]:
        """Each, or None where the store does not have it. Raises as the store, but not NotFound."""
        waiting = iter(wanted)
        ahead: deque[tuple[Wanted, Future[Read | None]]] = deque()
        for item in islice(waiting, AHEAD):
            ahead.append((item, self._threads.submit(self._begin, item)))
        while ahead:
            item, future = ahead.popleft()
            for more in islice(waiting, 1):
                ahead.append((more, self._threads.submit(self._begin, more)))
            yield item, future.result()

    def _begin(self, item: Wanted) -> Read | None:
        try:
            start, size = self._blobs.head(item.name, SMALL)
        except NotFound:
            return None
        return Read(item, size, start)

    def blocks(self, read: Read, void: list[Wanted]) -> Iterator[bytes]:
        """All of an object. If it is taken away meanwhile, zeros stand for the rest, and it is added to `void`."""
        yield read.start
        at = len(read.start)
        try:
            while at < read.size:
                block = self._blobs.get_range(read.wanted.name, at, min(PART, read.size - at))
                if not block:
                    raise NotFound("object_missing", "The stored object is not there.", "Restore it from a backup.")
                at += len(block)
                yield block
        except NotFound:
            void.append(read.wanted)
            while at < read.size:
                zeros = bytes(min(PART, read.size - at))
                at += len(zeros)
                yield zeros
