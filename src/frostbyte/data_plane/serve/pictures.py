"""Pictures of pages with a passage marked and everything hidden filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from frostbyte.data_plane.artefacts import spans
from frostbyte.data_plane.document import Page, Span
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.kernel.vault import Vault


class DrawPage(Protocol):
    """Draws one page of the document whose bytes `chunks` yields, as the parse stage's reader does."""

    def __call__(
        self,
        chunks: Iterable[bytes],
        *,
        mime: str,
        page: Page,
        redact_spans: Sequence[Span],
        highlight_spans: Sequence[Span],
        cover_images: bool,
    ) -> bytes: ...


class Pictures:
    """Page pictures for PDF, PNG and TIFF."""

    def __init__(self, documents: Documents, vault: Vault, draw: DrawPage) -> None:
        self._documents = documents
        self._vault = vault
        self._draw = draw

    def png(self, doc_id: UUID, number: int, *, highlight: UUID | None, source: bool, actor: str) -> bytes:
        """The page as PNG; with `source` nothing is hidden, and the read is audited.

        Raises:
            NotFound: `document_not_found`, `page_not_found`, `chunk_not_found`, `no_page_picture`.
            Conflict: `not_indexed`.
        """
        row, key, page, view = self._documents.indexed_page(doc_id, number)
        marked: list[Span] = []
        if highlight is not None:
            _, chunk = self._documents.chunk(highlight)
            if chunk.doc_id == doc_id and chunk.page == number:
                marked = [Span(start=chunk.start, end=chunk.end)]
        if source:
            self._documents.audit_read(row, actor, "page")
        return self._draw(
            self._vault.stream(row.raw_object, key),
            mime=row.mime,
            page=page,
            redact_spans=[] if source else spans(view.hidden(number)),
            highlight_spans=marked,
            cover_images=not source,
        )
