"""Packs: many small things in one object of a few megabytes, sealed, and named by the SHA-256 of its bytes.

    "FBP" | version (1 byte) | length of the sealed head (4 bytes) | head, sealed | body, sealed

The head says what lies where in the body, so that what an interrupted run has stored is found again without an index.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from frostbyte.kernel.backup.target import Target, damaged
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.sealing import SealBroken, Sealer, seal, sealed_size, unseal

FOLDER: Final = "packs"
FULL: Final = 7 << 20
"""Bytes of a body from which on a pack is closed: with one more piece it still is a single request of S3."""
PIECE: Final = 1 << 20
"""The most bytes of a piece; what is longer has several."""
_MAGIC: Final = b"FBP\x01"
_START: Final = len(_MAGIC) + 4
_GUESS: Final = 64 << 10
"""Bytes in which a pack's head lies nearly always."""
_HEAD, _BODY = "pack head", "pack body"
"""What the two parts are sealed as: a pack's name is known only when it is sealed."""
_LEVEL: Final = 1
"""Of zlib: rows of tables shrink to a fifth at 100 MB/s."""


class Place(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a piece lies.

    Attributes:
        pack: number of its pack in a table of packs.
        at: where it begins in the pack's body.
        size: bytes that it takes there.
        sha256: of what it holds.
        squeezed: whether it is compressed there (zlib).
    """

    pack: int
    at: int
    size: int
    sha256: bytes
    squeezed: bool


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A piece, as its pack's head tells of it; `tag` is its owner's name for it, or empty."""

    tag: bytes
    at: int
    size: int
    sha256: bytes
    squeezed: bool


class Filling:
    """A pack that is being filled.

    Args:
        slot: its number in the table of its snapshot.
    """

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.size = 0
        """Bytes of its body."""
        self._parts: list[bytes] = []
        self._entries: list[Entry] = []

    @property
    def count(self) -> int:
        """Pieces in it."""
        return len(self._entries)

    def add(self, data: bytes, tag: bytes, *, squeeze: bool) -> Place:
        """Put a piece in."""
        sha256 = digest(data)
        held = zlib.compress(data, _LEVEL) if squeeze else data
        squeezed = squeeze and len(held) < len(data)
        if not squeezed:
            held = data
        place = Place(self.slot, self.size, len(held), sha256, squeezed)
        self._entries.append(Entry(tag, place.at, place.size, sha256, squeezed))
        self._parts.append(held)
        self.size += len(held)
        return place

    def sealed(self, key: bytes) -> bytes:
        """The whole pack."""
        head = seal(key, _HEAD, msgspec.msgpack.encode(self._entries))
        body = Sealer(key, _BODY)
        # Joined once: to copy eight megabytes into memory that is new to the process costs more than to encrypt them.
        sealed = [body.update(part) for part in self._parts]
        return b"".join((_MAGIC, len(head).to_bytes(4, "big"), head, *sealed, body.finish()))


def digest(data: bytes) -> bytes:
    """The SHA-256 that packs and pieces are known by."""
    return hashlib.sha256(data).digest()


def name_of(pack: bytes) -> str:
    """The object's name of the pack with this SHA-256."""
    text = pack.hex()
    return f"{FOLDER}/{text[:2]}/{text}"


def listed(target: Target) -> Iterator[bytes]:
    """SHA-256 of every pack that is there."""
    for name in target.names(f"{FOLDER}/"):
        text = name.rpartition("/")[2]
        try:
            yield bytes.fromhex(text)
        except ValueError:
            continue  # nothing that we wrote


def body(target: Target, key: bytes, pack: bytes) -> bytes:
    """What a pack holds, whole and unchanged. Raises Invalid("backup_damaged")."""
    try:
        data = target.get(name_of(pack))
    except NotFound:
        raise damaged("a pack") from None
    if digest(data) != pack:
        raise damaged("a pack")
    length = int.from_bytes(data[len(_MAGIC) : _START], "big")
    try:
        return unseal(key, _BODY, data[_START + length :])
    except SealBroken:
        raise damaged("a pack") from None


def entries(target: Target, key: bytes, pack: bytes) -> list[Entry]:
    """What a pack says that it holds; what it does hold is for `body` to see. None of it where it is not whole.

    For packs that a run left which was cut off: what cannot be read is stored again.
    """
    name = name_of(pack)
    start, size = target.head(name, _GUESS)
    length = int.from_bytes(start[len(_MAGIC) : _START], "big")
    if not start.startswith(_MAGIC) or size < _START + length:
        return []
    if len(start) < _START + length:
        start, _ = target.head(name, _START + length)
    try:
        found = msgspec.msgpack.decode(unseal(key, _HEAD, start[_START : _START + length]), type=list[Entry])
    except (SealBroken, msgspec.MsgspecError):
        return []
    whole = _START + length + sealed_size(sum(entry.size for entry in found))
    return found if size == whole else []


def piece(held: bytes, place: Place) -> bytes:
    """A piece out of its pack's body. Raises Invalid("backup_damaged")."""
    data = held[place.at : place.at + place.size]
    try:
        plain = zlib.decompress(data) if place.squeezed else data
    except zlib.error:
        raise damaged("a part of a pack") from None
    if digest(plain) != place.sha256:
        raise damaged("a part of a pack")
    return plain
