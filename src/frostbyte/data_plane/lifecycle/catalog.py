"""What a backup knows of each document: whether it is as it was, and where what holds its content lies.

A document's objects go together, as they are sealed, one after the other: a *bundle*. What says where bundles lie is
the *catalog*, in pages by the first byte of the documents' ids, so that a page in which nothing changed is not stored
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.kernel.backup.packs import Place
from frostbyte.kernel.backup.reading import SnapshotReader
from frostbyte.kernel.backup.target import damaged
from frostbyte.kernel.ports.snapshot import HeldDocument
from frostbyte.kernel.records import State

FOLDER: Final = "catalog"
BATCHES: Final = "catalog-of-batches"
"""Names of the keys of batches, a JSON list."""
_MANY: Final = 16_384
"""Documents from which on the catalog has 256 pages instead of one."""
_ENDED: Final = (State.INDEXED, State.QUARANTINED, State.FAILED)


class Kept(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A document in a catalog.

    Attributes:
        stamp: of the row that its objects were read for; empty where a stage was under way, so that it is read again.
        key: number at the end of its key's name.
        places: of its bundle, in order; `pack` counts into the page's table.
    """

    doc_id: bytes
    stamp: bytes
    key: int
    places: tuple[Place, ...]


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Some documents, by id, and the packs that their bundles lie in."""

    packs: tuple[bytes, ...]
    documents: tuple[Kept, ...]


class Found(msgspec.Struct, frozen=True, gc=False):
    """A document as a catalog has it, with its packs named."""

    kept: Kept
    packs: tuple[bytes, ...]

    @property
    def pieces(self) -> Iterator[tuple[bytes, Place]]:
        """Where its bundle lies, in order."""
        return ((self.packs[place.pack], place) for place in self.kept.places)


def stamp_of(row: HeldDocument) -> bytes:
    """What is another whenever the document's objects may be others; empty while a stage may be writing some.

    Whatever changes a document's objects for good is an event in its chain.
    """
    if row.state not in _ENDED or row.rebuild is not None:
        return b""
    if row.active_generation and row.active_generation != row.generation:
        return b""
    said = (row.last_event_id, row.incarnation, row.generation, row.active_generation, row.raw_object, row.key_object)
    return hashlib.sha256("|".join(map(str, said)).encode()).digest()[:16]


def key_number(row: HeldDocument) -> int:
    """The number at the end of its key's name."""
    return int(row.key_object.rpartition(".")[2])


def key_name(kept: Kept) -> str:
    """Of the object that holds its key."""
    return f"keys/{UUID(bytes=kept.doc_id)}.{kept.key}"


def pages(documents: Sequence[Kept], pack_id: Mapping[int, bytes] | Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """The catalog as members of a snapshot: name and content of each.

    Args:
        documents: all of them; `pack` of their places counts into the writer's table.
        pack_id: that table.
    """
    by_page: dict[str, list[Kept]] = {}
    for kept in sorted(documents, key=lambda item: item.doc_id):
        number = f"{kept.doc_id[0]:02x}" if len(documents) > _MANY else "all"
        by_page.setdefault(number, []).append(kept)
    for number, members in by_page.items():
        table: dict[bytes, int] = {}
        moved = tuple(
            msgspec.structs.replace(
                kept,
                places=tuple(
                    msgspec.structs.replace(place, pack=table.setdefault(pack_id[place.pack], len(table)))
                    for place in kept.places
                ),
            )
            for kept in members
        )
        yield f"{FOLDER}/{number}", msgspec.msgpack.encode(Page(tuple(table), moved))


def read(reader: SnapshotReader) -> dict[bytes, Found]:
    """All documents of a snapshot by id (16 bytes). Raises Invalid("backup_damaged")."""
    found: dict[bytes, Found] = {}
    for name in reader.names(f"{FOLDER}/"):
        try:
            page = msgspec.msgpack.decode(reader.whole(name), type=Page)
        except msgspec.MsgspecError:
            raise damaged("a page of its catalog") from None
        for kept in page.documents:
            found[kept.doc_id] = Found(kept, page.packs)
    return found


def bundle_head(objects: Sequence[tuple[str, int]]) -> bytes:
    """What a bundle begins with: names and sizes of the objects that follow."""
    head = msgspec.msgpack.encode(list(objects))
    return len(head).to_bytes(4, "big") + head


class Bundle:
    """A bundle that is being read.

    Args:
        pieces: its bytes, in order, as long as need be.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        length = int.from_bytes(self._take(4), "big")
        try:
            self.objects = msgspec.msgpack.decode(self._take(length), type=list[tuple[str, int]])
        except msgspec.MsgspecError:
            raise damaged("a document's part") from None

    def __iter__(self) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Name, size and content of each object; a content has to be read before the next one is asked for."""
        for name, size in self.objects:
            yield name, size, self._blocks(size)

    def _blocks(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._held:
                self._held = self._next()
            block, self._held = self._held[:size], self._held[size:]
            size -= len(block)
            yield block

    def _take(self, length: int) -> bytes:
        return b"".join(self._blocks(length))

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece:
            raise damaged("a document's part")
        return piece
