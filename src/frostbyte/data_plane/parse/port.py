"""What the flow and the page pictures ask of parsing: implemented in this process or in children that may die."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from frostbyte.data_plane.document import Document, Page, Span


class Reader(Protocol):
    """Reads documents and draws their pages. Safe to call from several threads."""

    def parse(self, chunks: Iterable[bytes], *, sha256: str, mime: str, size: int) -> Document:
        """Read the document whose bytes `chunks` yields.

        Args:
            chunks: the content, in order; never written to disk.
            sha256: hex digest of the content, recorded in `Document.source`.
            mime: one of `document.FORMATS`.
            size: length of the content in bytes.

        Raises:
            StageFailed: the document can never be read: `encrypted`, `damaged`, `too_many_pages`, `too_many_cells`,
                `image_too_large`, `text_too_large`, `archive_bomb`, `unsupported_format`, `account_open`,
                `parser_timeout`, `parser_memory`, `parser_crashed`, `output_too_large`.
            Unavailable: `parser_unavailable`, no parser could be started: try again.
        """
        ...

    def picture(
        self,
        chunks: Iterable[bytes],
        *,
        mime: str,
        page: Page,
        redact_spans: Sequence[Span] = (),
        highlight_spans: Sequence[Span] = (),
        cover_images: bool = True,
        dpi: int = 110,
    ) -> bytes:
        """Draw one page as PNG, with spans of its canonical text blacked out or marked.

        Args:
            chunks: the content of the document.
            mime: its media type.
            page: the page as it was parsed; names the page and locates spans.
            redact_spans: what must not be seen; a span that cannot be located blacks out all that may hold it.
            highlight_spans: what to mark in yellow.
            cover_images: also black out every image whose text was not read.
            dpi: resolution for PDF; images are scaled so that they are no larger than an A4 page at this resolution.

        Raises:
            NotFound: `no_page_picture`, the format has no pages to draw, or no such page.
            StageFailed: as for `parse`.
            Unavailable: `parser_unavailable`.
        """
        ...

    def close(self) -> None:
        """End every child. The reader cannot be used afterwards."""
        ...
