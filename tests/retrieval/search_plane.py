"""A small plane to search in: rows in memory, texts in a dictionary, the real stages and the real Search."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import numpy as np
from msgspec.structs import replace

from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane import embed, index
from frostbyte.data_plane.artefacts import ShownChunk
from frostbyte.data_plane.serve.search import Filters, Found, Mode, Search
from frostbyte.data_plane.terms import TermHasher
from frostbyte.data_plane.words import words
from frostbyte.kernel.errors import FrostbyteError, Kind
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.vectors import CollectionSpec, VectorStore
from frostbyte.kernel.records import ChunkRow, DocumentRow, State

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPACE = UUID(int=5)


class WordsAsDirections:
    """An embedder for tests: a direction for each stem, so that texts with the same words are alike."""

    remote = False
    label = "words"

    def __init__(self, model: str = "words") -> None:
        self.spec = CollectionSpec(model=model, version="1", dimensions=32)

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.query(text) for text in texts]

    def query(self, text: str) -> list[float]:
        total = np.full(32, 0.01)
        for word in words(text):
            seed = int.from_bytes(word.forms[0].encode()[:8], "big") % 2**32
            total += np.random.default_rng(seed).standard_normal(32)
        return [float(value) for value in total / np.linalg.norm(total)]


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk as the policy gate leaves it, as far as it matters here."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    text: str
    headings: tuple[str, ...] = ()


class Plane:
    """Documents go in with their generations; `find` asks the real Search."""

    def __init__(self, vectors: VectorStore, embedder: Embedder | None = None) -> None:
        self.rows = MemoryStore()
        self.vectors = vectors
        self.embedder: Embedder = embedder or WordsAsDirections()
        self.terms = TermHasher(b"tenant's own key")
        self.texts: dict[UUID, str] = {}
        self.erased: set[UUID] = set()
        self.broken: FrostbyteError | None = None
        self.search = self.searching(self.embedder)

    def searching(self, embedder: Embedder) -> Search:
        return Search(
            unit_of_work=self.rows.unit_of_work,
            vectors=TwoCollections(lambda _: self.vectors, lambda _: None),
            embedder=embedder,
            terms=self.terms,
            load=self._load,
        )

    def _load(self, document: DocumentRow, chunk: ChunkRow) -> ShownChunk:
        if self.broken:
            raise self.broken
        if document.doc_id in self.erased:
            raise FrostbyteError("key_destroyed", "gone", kind=Kind.GONE)
        text = self.texts[chunk.chunk_id]
        return ShownChunk(
            chunk_id=chunk.chunk_id, page=chunk.page, start=chunk.start, end=chunk.end, text=text, headings=()
        )

    def add(
        self,
        number: int,
        texts: Sequence[str],
        *,
        generation: str = "g1",
        active: str | None = None,
        withheld: Sequence[int] = (),
        **values: Any,
    ) -> UUID:
        """A document whose generation is indexed; `active` is what is visible of it (this generation by default)."""
        doc_id = UUID(int=number)
        chunks = [
            Chunk(chunk_id=uuid5(SPACE, f"{doc_id}{generation}{at}"), doc_id=doc_id, generation=generation, text=text)
            for at, text in enumerate(texts)
        ]
        made = embed.decode(embed.encode(embed.run(chunks, self.embedder)))
        index.run(chunks, made, store=self.vectors, spec=self.embedder.spec, terms=self.terms)
        self.texts |= {chunk.chunk_id: chunk.text for chunk in chunks}
        row = DocumentRow(
            doc_id=doc_id,
            incarnation=0,
            state=State.INDEXED,
            mime="text/plain",
            size=1,
            received_at=values.pop("received_at", NOW),
            raw_object="",
            key_object="",
            sealed_name=b"",
            config_version=1,
            active_generation=generation if active is None else active,
            **values,
        )
        rows = [
            ChunkRow(
                chunk_id=chunk.chunk_id,
                doc_id=doc_id,
                generation=generation,
                page=1,
                start=at,
                end=at + 1,
                ordinal=at,
                object_offset=0,
                object_length=0,
                withheld=at in withheld,
            )
            for at, chunk in enumerate(chunks)
        ]
        with self.rows.unit_of_work() as uow:
            uow.documents.put(row)
            uow.chunks.put_generation(doc_id, generation, rows)
            uow.commit()
        return doc_id

    def change(self, doc_id: UUID, **values: Any) -> None:
        with self.rows.unit_of_work() as uow:
            row = uow.documents.get(doc_id)
            assert row is not None
            uow.documents.put(replace(row, **values))
            uow.commit()

    def find(self, query: str, top_k: int = 3, mode: Mode = Mode.HYBRID, **filters: Any) -> list[Found]:
        return self.search.find(query, top_k=top_k, filters=Filters(**filters), mode=mode)

    def texts_of(self, query: str, top_k: int = 3, mode: Mode = Mode.HYBRID, **filters: Any) -> list[str]:
        return [found.shown.text for found in self.find(query, top_k, mode, **filters)]
