"""Keys and sealed objects: who can read what, and what erasing a key means.

Every document has a data key of its own. It lies wrapped under the tenant's wrapping key as an object below `keys/`
and nowhere else, so removing that one object closes everything sealed under it, in every copy and backup.

Keys are not cached: a key that one process destroys must be dead in all the others at that moment, and reading the
few bytes again costs no more than asking whether they are still there.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Final, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from frostbyte.kernel.errors import FrostbyteError, Kind, NotFound
from frostbyte.kernel.ids import document_id
from frostbyte.kernel.ports.blobs import BlobStore, BlobWriter
from frostbyte.kernel.sealing import (
    FRAME,
    HEADER,
    SEALED_FRAME,
    TAG,
    Opener,
    SealBroken,
    Sealer,
    derive,
    layout,
    seal,
    unseal,
)

_WRAPPED: Final = b"FBK\x01"
_NONCE: Final = 12
_GROUP: Final = 16  # frames fetched at once when an object is streamed: 1 MiB


@dataclass(frozen=True)
class DocumentKey:
    """The data key of one document (or of one batch, for the names of its rejected files)."""

    raw: bytes = field(repr=False)

    def seal_name(self, name: str) -> bytes:
        """A file name, sealed; two seals of one name differ."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(derive(self.raw, "names")).encrypt(nonce, name.encode(), b"name")

    def open_name(self, sealed: bytes) -> str:
        """The inverse of `seal_name`. Raises SealBroken."""
        return _open(derive(self.raw, "names"), sealed, b"name").decode()

    def nonce(self, artefact: str) -> bytes:
        """The 32-byte nonce that blinds the hash of one artefact (`raw`, `normalized` ...).

        Args:
            artefact: its name; different names give independent nonces, so that opening one opens nothing else.
        """
        return hmac.new(derive(self.raw, "commitments"), artefact.encode(), hashlib.sha256).digest()

    def commitment(self, artefact: str, digest: bytes) -> str:
        """SHA-256(nonce || digest) in hex: what the audit may know of a hash.

        Args:
            artefact: what was hashed.
            digest: raw SHA-256 digest (32 bytes).
        """
        return hashlib.sha256(self.nonce(artefact) + digest).hexdigest()


@dataclass(frozen=True)
class TenantKeys:
    """The tenant's independent keys, 32 bytes each."""

    id_key: bytes = field(repr=False)
    """Makes document ids; never rotates."""
    term_key: bytes = field(repr=False)
    """Hashes the terms of sparse vectors; never rotates."""
    wrapping_keys: Mapping[int, bytes] = field(repr=False)
    """By version; the highest one wraps, the others only open what they wrapped."""


_HELD: ContextVar[dict[tuple[int, str], DocumentKey] | None] = ContextVar("held", default=None)
"""Keys that `Vault.answering` keeps for its caller, by vault and name."""


class Vault:
    """Sealed objects over a blob store. Errors of the store pass through.

    Args:
        blobs: where the sealed bytes lie.
        keys: the tenant's keys.
    """

    def __init__(self, blobs: BlobStore, keys: TenantKeys) -> None:
        self.blobs = blobs
        self._keys = keys

    def document_id(self, sha256: bytes) -> UUID:
        """The id of the document with these bytes. `sha256` is the raw digest (32 bytes)."""
        return document_id(self._keys.id_key, sha256)

    def fingerprint(self, data: bytes) -> str:
        """A keyed hash (hex) that says whether two things are equal and nothing else."""
        return hmac.new(derive(self._keys.id_key, "fingerprints"), data, hashlib.sha256).hexdigest()

    def key_for(self, purpose: str) -> bytes:
        """A 32-byte key of this plane's for one purpose. As the id key it never changes; a restored plane has it."""
        return derive(self._keys.id_key, purpose)

    @staticmethod
    def new_key() -> DocumentKey:
        """A fresh random data key."""
        return DocumentKey(os.urandom(32))

    def store_key(self, object_name: str, key: DocumentKey) -> None:
        """Wrap the key and store it; durable when this returns."""
        version = max(self._keys.wrapping_keys)
        head = _WRAPPED + version.to_bytes(4, "big")
        nonce = os.urandom(_NONCE)
        cipher = AESGCM(self._keys.wrapping_keys[version])
        self.blobs.put(object_name, head + nonce + cipher.encrypt(nonce, key.raw, head + object_name.encode()))

    def load_key(self, object_name: str) -> DocumentKey:
        """Fetch and unwrap a key.

        Raises:
            FrostbyteError: `key_destroyed` (kind GONE): the document was erased; `wrapping_key_missing`: it was
                wrapped by a key that this plane does not hold.
            SealBroken: the wrapped key is damaged or lies under another's name.
        """
        held = _HELD.get()
        if held is None:
            return self._open_key(object_name)
        place = (id(self), object_name)
        if place not in held:
            held[place] = self._open_key(object_name)
        return held[place]

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within it each key is fetched once, however many texts of its document are opened; then it is forgotten.

        For a piece of work of a moment: a key that is destroyed meanwhile still opens what that work reads.
        """
        token = _HELD.set({})
        try:
            yield
        finally:
            _HELD.reset(token)

    def _open_key(self, object_name: str) -> DocumentKey:
        try:
            wrapped = self.blobs.get(object_name)
        except NotFound as error:
            raise FrostbyteError(
                "key_destroyed",
                "The key of this document was destroyed: its content cannot be read any more.",
                "Send the document again if it is needed.",
                kind=Kind.GONE,
            ) from error
        head, body = wrapped[:8], wrapped[8:]
        if len(head) < 8 or not head.startswith(_WRAPPED):
            raise SealBroken
        wrapping = self._keys.wrapping_keys.get(int.from_bytes(head[4:], "big"))
        if wrapping is None:
            raise FrostbyteError(
                "wrapping_key_missing",
                "A document's key is wrapped by a version of the wrapping key that this plane does not hold.",
                "Put the older wrapping key back and start again.",
            )
        return DocumentKey(_open(wrapping, body, head + object_name.encode()))

    def rewrap(self, object_name: str) -> bool:
        """Wrap a key anew under the newest wrapping key; False if it already is."""
        head = self.blobs.get_range(object_name, 0, 8)
        if head == _WRAPPED + max(self._keys.wrapping_keys).to_bytes(4, "big"):
            return False
        self.store_key(object_name, self.load_key(object_name))
        return True

    def destroy_key(self, object_name: str) -> None:
        """Remove a key for good: durable when this returns; destroying twice is harmless."""
        self.blobs.delete(object_name)

    def writer(self, name: str, key: DocumentKey) -> SealedWriter:
        """An object to be written bit by bit; constant memory."""
        return SealedWriter(self.blobs.writer(name), Sealer(key.raw, name))

    def put(self, name: str, key: DocumentKey, data: bytes) -> None:
        """Seal and store a whole object: durable, atomic, replaces."""
        self.blobs.put(name, seal(key.raw, name, data))

    def get(self, name: str, key: DocumentKey) -> bytes:
        """A whole object. Raises NotFound, SealBroken."""
        return unseal(key.raw, name, self.blobs.get(name))

    def stream(self, name: str, key: DocumentKey) -> Iterator[bytes]:
        """An object's plain bytes in frames of at most 64 KiB, each verified before it is given.

        Raises NotFound, SealBroken; a cut object raises at the latest at its end.
        """
        opener = self._opener(name, key)
        for first in range(0, opener.count, _GROUP):
            yield from opener.frames(first, self._fetch(name, opener, first, _GROUP))

    def reader(self, name: str, key: DocumentKey) -> BinaryIO:
        """The object as a seekable binary file, decrypted frame by frame as it is read."""
        raw = _SealedFile(self, name, self._opener(name, key))
        return cast(BinaryIO, io.BufferedReader(raw, FRAME))

    def read_range(self, name: str, key: DocumentKey, start: int, length: int) -> bytes:
        """At most `length` plain bytes from the plain offset `start`; fewer at the end."""
        if start < 0 or length <= 0:
            return b""
        ahead = (start + length - 1) // FRAME + 1  # frames that come with the header, in one exchange
        if start >= FRAME or ahead > _GROUP:
            ahead = 0
        head, size = self.blobs.head(name, HEADER + ahead * SEALED_FRAME)
        opener = Opener(key.raw, name, head[:HEADER], size)
        end = min(start + length, opener.plain_size)
        if end <= start:
            return b""
        first, last = start // FRAME, (end - 1) // FRAME
        count = last - first + 1
        sealed = _whole(head[HEADER:], opener, count) if ahead else self._fetch(name, opener, first, count)
        plain = b"".join(opener.frames(first, sealed))
        return plain[start - first * FRAME : end - first * FRAME]

    def plain_size(self, name: str) -> int:
        """The object's plain size in bytes, from the store's listing alone (not verified)."""
        return layout(self.blobs.size(name))[1]

    def delete(self, name: str) -> None:
        """Remove an object; idempotent."""
        self.blobs.delete(name)

    def _opener(self, name: str, key: DocumentKey) -> Opener:
        header, size = self.blobs.head(name, HEADER)
        return Opener(key.raw, name, header, size)

    def _fetch(self, name: str, opener: Opener, first: int, count: int) -> bytes:
        """The sealed bytes of at most `count` frames from `first`; SealBroken if the object has become shorter."""
        wanted = _length(opener, first, count)
        sealed = self.blobs.get_range(name, HEADER + first * SEALED_FRAME, wanted)
        if len(sealed) != wanted:
            raise SealBroken
        return sealed


def _length(opener: Opener, first: int, count: int) -> int:
    """Sealed bytes of at most `count` frames from `first`."""
    count = min(count, opener.count - first)
    if first + count == opener.count:
        return opener.plain_size - first * FRAME + count * TAG
    return count * SEALED_FRAME


def _whole(sealed: bytes, opener: Opener, count: int) -> bytes:
    """The first `count` frames; SealBroken if they are not all there."""
    wanted = _length(opener, 0, count)
    if len(sealed) < wanted:
        raise SealBroken
    return sealed[:wanted]


def wrapping_version(wrapped: bytes) -> int:
    """The version of the wrapping key that a key lies wrapped under; 0 where it is no wrapped key."""
    return int.from_bytes(wrapped[4:8], "big") if wrapped.startswith(_WRAPPED) else 0


class SealedWriter:
    """An object being sealed. Leaving the `with` block without `commit()` removes what was written."""

    def __init__(self, blob: BlobWriter, sealer: Sealer) -> None:
        self._blob = blob
        self._sealer = sealer
        self._open = True

    def write(self, data: bytes) -> None:
        """Seal and write plain bytes."""
        sealed = self._sealer.update(data)
        if sealed:
            self._blob.write(sealed)

    def commit(self) -> None:
        """Durable and visible under its name when this returns."""
        self._blob.write(self._sealer.finish())
        self._blob.commit()
        self._open = False

    def abort(self) -> None:
        """Remove what was written; harmless after `commit()` or a second time."""
        if self._open:
            self._open = False
            self._blob.__exit__(None, None, None)

    def __enter__(self) -> SealedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class _SealedFile(io.RawIOBase):
    """Random access to the plain bytes; keeps the one frame that was read last."""

    def __init__(self, vault: Vault, name: str, opener: Opener) -> None:
        self._vault = vault
        self._name = name
        self._opener = opener
        self._at = 0
        self._number = -1
        self._frame = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._opener.plain_size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._opener.plain_size:
            return 0
        number, inside = divmod(self._at, FRAME)
        if number != self._number:
            sealed = self._vault._fetch(self._name, self._opener, number, 1)
            self._frame = self._opener.frame(number, sealed)
            self._number = number
        part = self._frame[inside : inside + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def _open(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], aad)
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error
