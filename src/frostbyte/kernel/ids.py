"""Identifiers: where each comes from and what it reveals.

UUIDv7 (RFC 9562) for events, batches and receipts: sortable by time. A document's id is a UUIDv8 of an HMAC over the
sha256 of its bytes, so that equal files meet but nobody without the tenant's id key can test whether a file is here.
A chunk's id is a UUIDv5 over what it is, so that doing the work twice names the same chunk (promise 4).
"""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7 as _uuid7

_CHUNKS = UUID("6f9c1a52-5b0e-5c47-9d0b-6a1f0c7d2e11")  # namespace for chunk ids; never changes


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return _uuid7()


def document_id(id_key: bytes, sha256: bytes) -> UUID:
    """The id of the document with these bytes for the holder of `id_key` (UUIDv8).

    Args:
        id_key: the tenant's 32-byte id key, which never rotates.
        sha256: raw digest (32 bytes) of the file as it came.
    """
    raw = bytearray(hmac.new(id_key, b"frostbyte document id\x00" + sha256, hashlib.sha256).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(raw))


def chunk_id(doc_id: UUID, generation: str, page: int, start: int, end: int) -> UUID:
    """The id of the chunk that covers `[start, end)` of the canonical text of `page` in `generation`."""
    return uuid5(_CHUNKS, f"{doc_id}/{generation}/{page}/{start}/{end}")


def generation_id(*, parser: str, policy: str, config_version: int, embedding: str, incarnation: int) -> str:
    """Names one way of processing a document (16 hex digits): any part that differs gives another generation."""
    text = (
        f"parser={parser}\npolicy={policy}\nconfig={config_version}\nembedding={embedding}\nincarnation={incarnation}"
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
