"""A reader in this process: for tests and for single files that the person at the keyboard trusts."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from frostbyte.adapters.parsing.requests import ParseRequest, PictureRequest, encode_request
from frostbyte.data_plane.document import Document, Page, Span, decode_document
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits


class DirectReader:
    """Implements `parse.Reader` without a child: nothing stops a parser that hangs or crashes."""

    def __init__(self, limits: ParseLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # PDFium is not safe in two threads at once

    def parse(self, chunks: Iterable[bytes], *, sha256: str, mime: str, size: int) -> Document:
        """See `parse.Reader.parse`."""
        from frostbyte.adapters.parsing import work  # loads the parsing libraries only where they are used

        data = b"".join(chunks)
        request = ParseRequest(sha256=sha256, mime=mime, size=size, limits=self._limits)
        with self._lock:
            return decode_document(work.perform(encode_request(request), data, _nothing))

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
        """See `parse.Reader.picture`."""
        from frostbyte.adapters.parsing import work

        data = b"".join(chunks)
        request = PictureRequest(
            mime=mime,
            page=page,
            redact=tuple(redact_spans),
            highlight=tuple(highlight_spans),
            cover_images=cover_images,
            dpi=dpi,
            limits=self._limits,
        )
        with self._lock:
            return work.perform(encode_request(request), data, _nothing)

    def close(self) -> None:
        """Nothing to end."""


def _nothing() -> None:
    return None
