"""The tenant's documents as they may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from frostbyte.data_plane import artefacts
from frostbyte.data_plane.artefacts import Artefacts, View
from frostbyte.data_plane.document import Document, Page, decode_document, decode_page
from frostbyte.data_plane.serve.batches import Waits, display_name, no_such, standing_of
from frostbyte.data_plane.serve.markdown import to_markdown
from frostbyte.data_plane.serve.shape import page_json, to_json
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, FrostbyteError, Kind, NotFound
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import ChunkRow, DocumentRow, State
from frostbyte.kernel.vault import DocumentKey, Vault

AROUND: Final = 20_000
"""Characters shown on each side of a passage where its page cannot be drawn."""


class Documents:
    """Lists, shows and hands out documents; every read of unredacted content is an audit event."""

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        vault: Vault,
        clock: Clock,
        waits: Waits = lambda: None,
    ) -> None:
        self._waits = waits
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._vault = vault
        self._clock = clock
        self.artefacts = Artefacts(vault)

    def page(self, *, state: State | None, after: UUID | None, limit: int) -> dict[str, Any]:
        """A page of documents, and the cursor of the next."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.documents.page(state=state, after=after, limit=limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        with self.answering():
            shown = [self.summary(row) for row in rows]
        return {
            "documents": shown,
            "next_cursor": str(rows[-1].doc_id) if more else None,
        }

    def answering(self) -> AbstractContextManager[None]:
        """Around what shows several texts of the same documents: each key is fetched once (see `Vault.answering`)."""
        return self._vault.answering()

    def get(self, doc_id: UUID) -> dict[str, Any]:
        """One document with its account.

        Raises:
            NotFound: `document_not_found`.
        """
        row = self.row(doc_id)
        return self.summary(row) | {
            "account": row.account,
            "notes": list(row.notes),
            "generation": row.active_generation,
            "config_version": row.config_version,
            "embedding": row.embedding,
            "incarnation": row.incarnation,
        }

    def summaries(self, doc_ids: Sequence[UUID]) -> dict[str, dict[str, Any]]:
        """What lists show of these documents, by id; those that are not there are missing."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.documents.get_many(doc_ids)
        with self.answering():
            return {str(row.doc_id): self.summary(row) for row in rows.values()}

    def row(self, doc_id: UUID) -> DocumentRow:
        """Raises NotFound("document_not_found")."""
        with self._unit_of_work(reading=True) as uow:
            row = uow.documents.get(doc_id)
        if row is None:
            raise no_such("document")
        return row

    def summary(self, row: DocumentRow) -> dict[str, Any]:
        """What lists and reports show of a document."""
        return {
            "doc_id": str(row.doc_id),
            "filename": display_name(self._vault, row.key_object, row.sealed_name),
            "title": self._title(row),
            "mime": row.mime,
            "size": row.size,
            **standing_of(row, self._waits()),
            "received_at": iso(row.received_at),
            "finished_at": iso(row.finished_at) if row.finished_at else None,
            "pages": row.pages,
            "chunks": row.chunks,
            "withheld": row.withheld,
            "classification": row.classification,
            "class_confidence": round(row.class_confidence, 3),
            "needs_review": row.needs_review,
            "scan_verdict": row.scan_verdict,
        }

    def _title(self, row: DocumentRow) -> str:
        if not row.active_generation:
            return ""
        try:
            return self.artefacts.title(row, self._vault.load_key(row.key_object))
        except FrostbyteError as error:
            if error.kind in (Kind.GONE, Kind.NOT_FOUND):  # erased between the row's reading and now
                return ""
            raise

    def indexed(self, doc_id: UUID) -> tuple[DocumentRow, DocumentKey, Document, View]:
        """A document whose content may be shown, with what is withheld as of now.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `not_indexed`.
        """
        row, key, data = self._shown(doc_id)
        return row, key, decode_document(data), self.view(row, key)

    def indexed_page(self, doc_id: UUID, number: int) -> tuple[DocumentRow, DocumentKey, Page, View]:
        """The same with one page alone, for what shows just that: a long document takes long to decode.

        Raises:
            NotFound: `document_not_found`, `page_not_found`.
            Conflict: `not_indexed`.
        """
        row, key, data = self._shown(doc_id)
        page = decode_page(data, number)
        if page is None:
            raise NotFound("page_not_found", "The document has no such page.", "Ask for one of its pages.")
        return row, key, page, self.view(row, key)

    def page_around(self, chunk_id: UUID, number: int) -> dict[str, Any]:
        """A page's text around a passage, for formats without pictures: what stands before it, itself, and after it.

        Args:
            chunk_id: of a visible passage.
            number: of the page; one that does not hold the passage is given as `before` alone.

        Returns:
            `before`, `passage`, `after`, each as it may be shown, and whether more was cut off: `cut_before`,
            `cut_after`.

        Raises:
            NotFound: `chunk_not_found`, `page_not_found`.
            Conflict: `not_indexed`.
        """
        row, chunk = self.chunk(chunk_id)
        _, _, page, view = self.indexed_page(row.doc_id, number)
        here = page.number == chunk.page
        start, end = (chunk.start, chunk.end) if here else (0, 0)
        first, last = max(0, start - AROUND), min(len(page.text), end + AROUND)
        return {
            "before": view.text(page, first, start),
            "passage": view.text(page, start, end) if here else "",
            "after": view.text(page, end, last),
            "cut_before": first > 0,
            "cut_after": last < len(page.text),
        }

    def _shown(self, doc_id: UUID) -> tuple[DocumentRow, DocumentKey, bytes]:
        row = self.row(doc_id)
        if row.state is not State.INDEXED:
            raise Conflict(
                "not_indexed",
                f"The document is {row.state.value}: only an indexed one has content to show.",
                "Look at its state and remedy, or wait until it is indexed.",
            )
        key = self._vault.load_key(row.key_object)
        return row, key, self.artefacts.get(row, row.active_generation, artefacts.DOCUMENT, key)

    def view(self, row: DocumentRow, key: DocumentKey) -> View:
        """The stored view without the passages that a reviewer released since."""
        view = self.artefacts.view(row, key)
        if not view.withheld:
            return view
        with self._unit_of_work(reading=True) as uow:
            chunks = uow.chunks.of_document(row.doc_id, row.active_generation)
        held = {(chunk.page, chunk.start, chunk.end) for chunk in chunks if chunk.withheld}
        kept = tuple(item for item in view.withheld if (item.page, item.start, item.end) in held)
        return View(
            title=view.title,
            metadata=view.metadata,
            page_names=view.page_names,
            redactions=view.redactions,
            withheld=kept,
        )

    def markdown(self, doc_id: UUID) -> str:
        """The document as Markdown, redacted."""
        _, _, document, view = self.indexed(doc_id)
        return to_markdown(document, view)

    def json(self, doc_id: UUID) -> dict[str, Any]:
        """The document's structure, redacted."""
        _, _, document, view = self.indexed(doc_id)
        return {"doc_id": str(doc_id)} | to_json(document, view)

    def page_of(self, doc_id: UUID, number: int) -> dict[str, Any]:
        """One page of an indexed document, redacted: its structure as in `json`, and `pages`, the numbers there are.

        Raises:
            NotFound: `document_not_found`, `page_not_found`.
            Conflict: `not_indexed`.
        """
        _, _, document, view = self.indexed(doc_id)
        page = next((page for page in document.pages if page.number == number), None)
        if page is None:
            raise NotFound("page_not_found", "The document has no such page.", "Ask for one of its pages.")
        return page_json(page, view) | {"pages": [page.number for page in document.pages]}

    def chunk(self, chunk_id: UUID) -> tuple[DocumentRow, ChunkRow]:
        """A visible chunk and its document.

        Raises:
            NotFound: `chunk_not_found`, also for withheld ones.
        """
        with self._unit_of_work(reading=True) as uow:
            found = uow.chunks.visible([chunk_id]).get(chunk_id)
        if found is None:
            raise no_such("chunk")
        chunk, row = found
        return row, chunk

    def shown_chunk(self, chunk_id: UUID) -> dict[str, Any]:
        """A chunk as it is shown."""
        row, chunk = self.chunk(chunk_id)
        shown = self.artefacts.chunk(row, chunk)
        return {
            "chunk_id": str(chunk_id),
            "doc_id": str(row.doc_id),
            "filename": display_name(self._vault, row.key_object, row.sealed_name),
            "title": self._title(row),
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "text": shown.text,
            "headings": list(shown.headings),
            "pii": list(chunk.pii),
            "injection_score": round(chunk.injection_score, 3),
            "generation": chunk.generation,
            "config_version": chunk.config_version,
            "embedding": row.embedding,
        }

    def source(self, doc_id: UUID, *, actor: str) -> tuple[str, str, int, Iterator[bytes]]:
        """(file name, media type, bytes, content) of the file as it came; the read is audited before the first byte.

        Raises:
            NotFound: `document_not_found`.
        """
        row = self.row(doc_id)
        key = self._vault.load_key(row.key_object)
        self.audit_read(row, actor, "raw")
        name = display_name(self._vault, row.key_object, row.sealed_name)
        return name, row.mime, row.size, self._vault.stream(row.raw_object, key)

    def audit_read(self, row: DocumentRow, actor: str, what: str) -> None:
        """Record that unredacted content is about to be read (`what`: raw, document, page, digest)."""
        with self._unit_of_work() as uow:
            uow.record(
                make_event(
                    self._tenant_id,
                    EventType.SOURCE_READ,
                    self._clock,
                    actor,
                    "document",
                    str(row.doc_id),
                    {"component": "serve", "artefact": what, "status": "read"},
                )
            )
