"""Encryption at rest: AES-256-GCM in frames, so that long objects stream and any range can be read.

Form of a sealed object:

    "FBS" | version (1 byte) | salt (16 random bytes) | frame | frame | ...

A frame is 65,536 plain bytes (the last one 1 to 65,536; an empty object has one empty frame) followed by its
16-byte tag. Each object has a key of its own, HKDF-SHA256(key, salt), so the frame's number may serve as the nonce.
The associated data of a frame are the header, whether it is the last one, and the object's name: frames that were
moved, swapped between objects, cut off or appended do not open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from frostbyte.kernel.errors import FrostbyteError

FRAME: Final = 65_536
"""Plain bytes of a full frame."""
TAG: Final = 16
"""Bytes that GCM adds to each frame."""
SEALED_FRAME: Final = FRAME + TAG
_MAGIC: Final = b"FBS\x01"
_SALT: Final = 16
HEADER: Final = len(_MAGIC) + _SALT
"""Bytes before the first frame."""


class SealBroken(FrostbyteError):
    """A sealed thing does not open: damaged, cut, moved, or another key made it."""

    def __init__(self) -> None:
        super().__init__(
            "object_damaged",
            "A stored object is damaged or does not belong where it lies, so it was not used.",
            "Restore the object from a backup, or erase the document and send it again.",
        )


def derive(key: bytes, purpose: str, salt: bytes | None = None) -> bytes:
    """A 32-byte subkey of `key` for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(SHA256(), 32, salt, b"frostbyte " + purpose.encode()).derive(key)


class Sealer:
    """Seals an object as its bytes come. Feed `update`, then call `finish` once; the outputs joined are the object.

    Args:
        key: 32 bytes.
        name: the object's name, which the sealed bytes are bound to.
    """

    def __init__(self, key: bytes, name: str) -> None:
        self._header = _MAGIC + os.urandom(_SALT)
        self._frames = _Frames(key, name, self._header)
        self._rest = bytearray()
        self._number = 0
        self._begun = False

    def update(self, data: bytes) -> bytes:
        """Take plain bytes; returns the sealed bytes that are ready, perhaps none."""
        out = [] if self._begun else [self._header]
        self._begun = True
        view, at = memoryview(data), 0
        # A full frame is held back until more comes, because only the last one may be marked as the last.
        if self._rest and len(self._rest) + len(view) > FRAME:
            at = FRAME - len(self._rest)
            self._rest += view[:at]
            out.append(self._next(bytes(self._rest), last=False))
            self._rest.clear()
        if not self._rest:
            while len(view) - at > FRAME:
                out.append(self._next(view[at : at + FRAME], last=False))
                at += FRAME
        self._rest += view[at:]
        return b"".join(out)

    def finish(self) -> bytes:
        """The sealed bytes that remain."""
        head = b"" if self._begun else self._header
        self._begun = True
        return head + self._next(bytes(self._rest), last=True)

    def _next(self, plain: bytes | memoryview, *, last: bool) -> bytes:
        sealed = self._frames.seal(self._number, plain, last=last)
        self._number += 1
        return sealed


class _Frames:
    """Seals and opens single frames of one object."""

    def __init__(self, key: bytes, name: str, header: bytes) -> None:
        if len(header) != HEADER or not header.startswith(_MAGIC):
            raise SealBroken
        self._cipher = AESGCM(derive(key, "object frames", header[len(_MAGIC) :]))
        self._aad = {last: header + bytes([last]) + name.encode() for last in (False, True)}

    def seal(self, number: int, plain: bytes | memoryview, *, last: bool) -> bytes:
        return self._cipher.encrypt(number.to_bytes(12, "big"), plain, self._aad[last])

    def open(self, number: int, sealed: bytes | memoryview, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(number.to_bytes(12, "big"), sealed, self._aad[last])
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error


class Opener:
    """Opens frames of an object whose header and sealed size are known.

    Args:
        key: the 32 bytes it was sealed with.
        name: the object's name.
        header: its first `HEADER` bytes.
        size: its sealed size in bytes.

    Raises:
        SealBroken: this is no sealed object.
    """

    def __init__(self, key: bytes, name: str, header: bytes, size: int) -> None:
        self._frames = _Frames(key, name, header)
        self.count, self.plain_size = layout(size)

    def frame(self, number: int, sealed: bytes | memoryview) -> bytes:
        """The plain bytes of one frame. Raises SealBroken."""
        return self._frames.open(number, sealed, last=number == self.count - 1)

    def frames(self, first: int, sealed: bytes) -> Iterator[bytes]:
        """The plain bytes of the frames that lie in `sealed`, the first of which is number `first`."""
        view = memoryview(sealed)
        for number, at in enumerate(range(0, len(view), SEALED_FRAME), first):
            yield self.frame(number, view[at : at + SEALED_FRAME])


def layout(size: int) -> tuple[int, int]:
    """Number of frames and plain size of a sealed object of `size` bytes.

    Raises:
        SealBroken: no sealed object has this size.
    """
    body = size - HEADER
    full, rest = divmod(body, SEALED_FRAME)
    if body < TAG or (rest and rest <= TAG and not (full == 0 and rest == TAG)):
        raise SealBroken
    count = full + bool(rest)
    return count, body - count * TAG


def sealed_size(plain: int) -> int:
    """Bytes that an object of `plain` bytes takes when sealed."""
    return HEADER + plain + TAG * max(1, -(-plain // FRAME))


def seal(key: bytes, name: str, data: bytes) -> bytes:
    """Seal a whole object."""
    sealer = Sealer(key, name)
    return sealer.update(data) + sealer.finish()


def unseal(key: bytes, name: str, data: bytes) -> bytes:
    """Open a whole object.

    Raises:
        SealBroken: it was damaged, cut, sealed under another name or with another key.
    """
    opener = Opener(key, name, data[:HEADER], len(data))
    return b"".join(opener.frames(0, data[HEADER:]))
