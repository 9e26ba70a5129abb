"""Reading documents for a backup: all objects of one together, small ones at once and ahead of their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

import msgspec

from frostbyte.data_plane.lifecycle.catalog import bundle_head
from frostbyte.data_plane.lifecycle.exported import PART, SMALL, Wanted, of_document
from frostbyte.kernel.backup.packs import PIECE
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.blobs import BlobStore, Heads
from frostbyte.kernel.ports.snapshot import HeldDocument

AHEAD: Final = 8
"""Groups of documents that are read at once."""
GROUP: Final = 64
"""Documents in a group, at most: handing one to a thread costs as much as reading an object."""
GROUP_BYTES: Final = 1 << 20
"""Bytes of documents, as they were received, from which on a group has no more: it is held in memory."""
_TAG: Final = 16 + 16 + 4 + 4
"""Bytes of a tag: document, stamp, number of the piece, number of pieces."""


class TakenAway(Exception):
    """A document's object was removed while it was read: the document was erased, or processed anew."""


class Bundled(msgspec.Struct, frozen=True):
    """A document's objects as they were found.

    Attributes:
        row: the document.
        objects: name, size and beginning of each; of a small one all of it.
        missing: names of objects that a healthy plane has.
    """

    row: HeldDocument
    objects: tuple[tuple[str, int, bytes], ...]
    missing: tuple[str, ...]

    @property
    def head(self) -> bytes:
        """What the bundle begins with."""
        return bundle_head([(name, size) for name, size, _ in self.objects])


class Bundles:
    """Reads documents' objects in the order in which they are wanted, some ahead of the others.

    Use it as a context manager.

    Args:
        blobs: the objects.
        heads: reads many of them at once; None to ask the store for one after the other.
    """

    def __init__(self, blobs: BlobStore, heads: Heads | None = None) -> None:
        self.blobs, self._heads = blobs, heads or OneByOne(blobs)
        self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="bundles")

    def __enter__(self) -> Bundles:
        return self

    def __exit__(self, *exc: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def read(self, rows: Iterable[HeldDocument]) -> Iterator[Bundled]:
        """Each document. Raises as the store, but not NotFound."""
        ahead: deque[Future[list[Bundled]]] = deque()
        group: list[HeldDocument] = []
        size = 0
        for row in rows:
            group.append(row)
            size += row.size
            if len(group) == GROUP or size >= GROUP_BYTES:
                ahead.append(self._threads.submit(self._group, group))
                group, size = [], 0
            if len(ahead) > AHEAD:
                yield from ahead.popleft().result()
        if group:
            ahead.append(self._threads.submit(self._group, group))
        while ahead:
            yield from ahead.popleft().result()

    def blocks(self, name: str, size: int, start: bytes) -> Iterator[bytes]:
        """All of an object. Raises TakenAway."""
        yield start
        at = len(start)
        while at < size:
            try:
                block = self.blobs.get_range(name, at, min(PART, size - at))
            except NotFound:
                block = b""
            if not block:
                raise TakenAway
            at += len(block)
            yield block

    def _group(self, rows: list[HeldDocument]) -> list[Bundled]:
        wanted = [of_document(row) for row in rows]
        found = iter(self._heads.heads([one.name for ones in wanted for one in ones], SMALL))
        # An answer too few is no answer: what nobody answered for would be left out of the backup unseen.
        return [_bundled(row, ones, list(islice(found, len(ones)))) for row, ones in zip(rows, wanted, strict=True)]


def _bundled(row: HeldDocument, wanted: list[Wanted], found: list[tuple[bytes, int] | None]) -> Bundled:
    objects: list[tuple[str, int, bytes]] = []
    missing: list[str] = []
    for one, told in zip(wanted, found, strict=True):
        if told is not None:
            objects.append((one.name, told[1], told[0]))
        elif one.needed:
            missing.append(one.name)
    return Bundled(row, tuple(objects), tuple(missing))


class OneByOne:
    """See kernel.ports.blobs.Heads. Asks the store itself."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def heads(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """See the port."""
        return [self._head(name, length) for name in names]

    def _head(self, name: str, length: int) -> tuple[bytes, int] | None:
        try:
            return self._blobs.head(name, length)
        except NotFound:
            return None


def tagged(bundled: Bundled, stamp: bytes, shelf: Bundles) -> Iterator[tuple[bytes, bytes]]:
    """The pieces of a bundle, each with its tag; without a stamp nobody will know them again, and they have none.

    Raises:
        TakenAway: an object was removed meanwhile.
    """
    head = bundled.head
    held, size = [head], len(head)
    for _, length, start in bundled.objects:
        held.append(start)
        size += length
    whole = b"".join(held) if size <= PIECE else b""
    count, whose = max(1, -(-size // PIECE)), bundled.row.doc_id.bytes + stamp
    if len(whole) == size:  # as nearly all of them
        yield _tag(whose, 0, 1) if stamp else b"", whole
        return
    for number, piece in enumerate(_pieces(bundled, head, shelf)):
        yield _tag(whose, number, count) if stamp else b"", piece


def _tag(whose: bytes, number: int, count: int) -> bytes:
    return whose + number.to_bytes(4, "big") + count.to_bytes(4, "big")


def _pieces(bundled: Bundled, head: bytes, shelf: Bundles) -> Iterator[bytes]:
    held = bytearray(head)
    for name, size, start in bundled.objects:
        for block in shelf.blocks(name, size, start):
            held += block
            while len(held) >= PIECE:
                yield bytes(held[:PIECE])
                del held[:PIECE]
    if held:
        yield bytes(held)


def read_tag(tag: bytes) -> tuple[bytes, int, int] | None:
    """Whose piece it is (document and stamp), its number, and of how many; None where it is no such tag."""
    if len(tag) != _TAG:
        return None
    return tag[:32], int.from_bytes(tag[32:36], "big"), int.from_bytes(tag[36:], "big")
