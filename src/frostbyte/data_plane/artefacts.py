"""What the stages leave for each other and for serving: sealed objects named by document and generation.

    normalized/{doc_id}.{generation}.document   the canonical document, unredacted
    normalized/{doc_id}.{generation}.cleared    the policy gate's stored verdict
    normalized/{doc_id}.{generation}.view       what may be shown of it: title, redactions, withheld passages
    normalized/{doc_id}.{generation}.chunks     the chunks as they are shown, one JSON after the other
    normalized/{doc_id}.{generation}.vectors    what the embedder gave for the chunks that were cleared
    normalized/{doc_id}.{generation}.released   the same for passages that a reviewer released, where there are any

A chunk's text is read by range from `.chunks`, so that an answer costs a frame and not a document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol
from uuid import UUID

import msgspec

from frostbyte.data_plane.document import Page, Record, Span, encode
from frostbyte.kernel.audit.answers import chunk_tree
from frostbyte.kernel.records import ChunkRow, DocumentRow
from frostbyte.kernel.vault import DocumentKey, Vault

DOCUMENT: Final = "document"
CLEARED: Final = "cleared"
VIEW: Final = "view"
CHUNKS: Final = "chunks"
VECTORS: Final = "vectors"
RAW: Final = "raw"
"""What the commitment to the file as it came is named by."""
CHUNK_TREE: Final = "chunks"
"""What the commitment to the root of the chunk tree is named by, with the generation after it."""
RELEASED: Final = "released"
ALL: Final = (DOCUMENT, CLEARED, VIEW, CHUNKS, VECTORS, RELEASED)
SOMETIMES: Final = (RELEASED,)
"""What a document may be whole without."""


class Redaction(Record, frozen=True, kw_only=True):
    """Characters that are not shown, and what stands in their place."""

    page: int
    start: int
    end: int
    placeholder: str


class View(Record, frozen=True, kw_only=True):
    """What may be shown of a document without the scope `source`."""

    title: str
    metadata: dict[str, str]
    page_names: dict[int, str]
    """Redacted names of sheets."""
    redactions: tuple[Redaction, ...]
    """Personal data; ordered by page and start, not overlapping."""
    withheld: tuple[Redaction, ...]
    """Passages that a reviewer has to release."""

    def hidden(self, page: int) -> list[Redaction]:
        """Everything on a page that is not shown, in order; withheld passages swallow redactions inside them."""
        held = [item for item in self.withheld if item.page == page]
        free = [
            item
            for item in self.redactions
            if item.page == page and not any(h.start <= item.start and item.end <= h.end for h in held)
        ]
        return sorted((*held, *free), key=lambda item: (item.start, item.end))

    def text(self, page: Page, start: int, end: int) -> str:
        """What a reader sees of `[start, end)`: dropped characters left out, hidden ones replaced once."""
        parts: list[str] = []
        at = start
        for item in self.hidden(page.number):
            if item.end <= at or item.start >= end:
                continue
            parts.append(page.reading(at, max(at, item.start)))
            parts.append(item.placeholder)
            at = min(item.end, end)
        parts.append(page.reading(at, end))
        return "".join(parts)


class _Titled(msgspec.Struct, frozen=True):
    """The little of a view that lists and answers show: the rest of the object is passed over, not made."""

    title: str


class ShownChunk(Record, frozen=True, kw_only=True):
    """A chunk as people see it."""

    chunk_id: UUID
    page: int
    start: int
    end: int
    text: str
    headings: tuple[str, ...]


class Shown(Protocol):
    """What a cleared and a withheld chunk have in common."""

    @property
    def chunk_id(self) -> UUID: ...
    @property
    def doc_id(self) -> UUID: ...
    @property
    def generation(self) -> str: ...
    @property
    def page(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def headings(self) -> tuple[str, ...]: ...
    @property
    def injection_score(self) -> float: ...
    @property
    def pii(self) -> tuple[str, ...]: ...
    @property
    def config_version(self) -> int: ...


def in_order(chunks: Sequence[Shown], withheld: Sequence[Shown]) -> list[tuple[Shown, bool]]:
    """All chunks of a document in reading order, each with whether it is withheld."""
    both = [(chunk, False) for chunk in chunks] + [(chunk, True) for chunk in withheld]
    return sorted(both, key=lambda pair: (pair[0].page, pair[0].start, pair[0].end))


def lay_out(chunks: Sequence[Shown], withheld: Sequence[Shown]) -> tuple[list[ChunkRow], bytes]:
    """The rows of all chunks and the bytes of the object that their ranges point into."""
    rows: list[ChunkRow] = []
    data = bytearray()
    for ordinal, (chunk, held) in enumerate(in_order(chunks, withheld)):
        record = encode(
            ShownChunk(
                chunk_id=chunk.chunk_id,
                page=chunk.page,
                start=chunk.start,
                end=chunk.end,
                text=chunk.text,
                headings=chunk.headings,
            )
        )
        rows.append(
            ChunkRow(
                chunk_id=chunk.chunk_id,
                doc_id=chunk.doc_id,
                generation=chunk.generation,
                page=chunk.page,
                start=chunk.start,
                end=chunk.end,
                ordinal=ordinal,
                object_offset=len(data),
                object_length=len(record),
                withheld=held,
                injection_score=chunk.injection_score,
                pii=chunk.pii,
                config_version=chunk.config_version,
            )
        )
        data += record
    return rows, bytes(data)


def chunk_root(chunks: Sequence[Shown], withheld: Sequence[Shown]) -> bytes:
    """The root that the audit commits to: over every chunk, withheld ones among them, in reading order."""
    return chunk_tree([chunk for chunk, _ in in_order(chunks, withheld)]).root


class Artefacts:
    """Reads and writes them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @staticmethod
    def name(doc_id: UUID, generation: str, kind: str) -> str:
        """The object's name."""
        return f"normalized/{doc_id}.{generation}.{kind}"

    @staticmethod
    def names(doc_id: UUID, generation: str) -> Iterator[tuple[str, str]]:
        """Kind and name of each object that a generation may have."""
        stem = f"normalized/{doc_id}.{generation}."
        return ((kind, stem + kind) for kind in ALL)

    def put(self, row: DocumentRow, generation: str, kind: str, key: DocumentKey, data: bytes) -> None:
        """Seal and store durably."""
        self._vault.put(self.name(row.doc_id, generation, kind), key, data)

    def get(self, row: DocumentRow, generation: str, kind: str, key: DocumentKey) -> bytes:
        """Raises NotFound("object_missing") and whatever the vault raises."""
        return self._vault.get(self.name(row.doc_id, generation, kind), key)

    def view(self, row: DocumentRow, key: DocumentKey) -> View:
        """The view of the active generation."""
        return msgspec.json.decode(self.get(row, row.active_generation, VIEW, key), type=View)

    def title(self, row: DocumentRow, key: DocumentKey) -> str:
        """The document's title as it may be shown."""
        return msgspec.json.decode(self.get(row, row.active_generation, VIEW, key), type=_Titled).title

    def chunk(self, row: DocumentRow, chunk: ChunkRow) -> ShownChunk:
        """A chunk's text, by range."""
        key = self._vault.load_key(row.key_object)
        name = self.name(chunk.doc_id, chunk.generation, CHUNKS)
        data = self._vault.read_range(name, key, chunk.object_offset, chunk.object_length)
        return msgspec.json.decode(data, type=ShownChunk)


def raw_sha256(vault: Vault, row: DocumentRow, key: DocumentKey) -> str:
    """Hex digest of the file as it came."""
    digest = hashlib.sha256()
    for part in vault.stream(row.raw_object, key):
        digest.update(part)
    return digest.hexdigest()


def spans(items: Sequence[Redaction]) -> list[Span]:
    """Their ranges."""
    return [Span(start=item.start, end=item.end) for item in items]
