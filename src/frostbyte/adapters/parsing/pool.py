"""Readers in child processes, which may hang or die."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from frostbyte.adapters.children.pool import ChildPool
from frostbyte.adapters.parsing.requests import ParseRequest, PictureRequest, encode_request
from frostbyte.adapters.parsing.troubles import TROUBLES
from frostbyte.data_plane.document import Document, Page, Span, decode_document
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.wellformed import check

_COMMAND: Final = (sys.executable, "-m", "frostbyte.adapters.parsing.child")


class ParserPool:
    """Implements `parse.Reader` with child processes. Safe to use from several threads.

    Args:
        limits: what parsers may spend on one document.
        command: what to start instead of our child; tests use it for children that misbehave.
        options: as for `ChildPool`.
    """

    def __init__(
        self, *, limits: ParseLimits = DEFAULT_LIMITS, command: Sequence[str] = _COMMAND, **options: Any
    ) -> None:
        self._limits = limits
        self._children = ChildPool(command, TROUBLES, **options)

    def parse(self, chunks: Iterable[bytes], *, sha256: str, mime: str, size: int) -> Document:
        """See `parse.Reader.parse`."""
        request = ParseRequest(sha256=sha256, mime=mime, size=size, limits=self._limits)
        try:
            document = decode_document(self._children.ask(encode_request(request), chunks))
        except msgspec.DecodeError:
            raise TROUBLES.crashed("an unreadable document") from None
        if (document.source.sha256, document.source.mime, document.source.size) != (sha256, mime, size):
            raise TROUBLES.crashed("an answer to another question")
        check(document)  # again here: the child that made it has touched hostile bytes
        return document

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
        request = PictureRequest(
            mime=mime,
            page=page,
            redact=tuple(redact_spans),
            highlight=tuple(highlight_spans),
            cover_images=cover_images,
            dpi=dpi,
            limits=self._limits,
        )
        data = self._children.ask(encode_request(request), chunks)
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise TROUBLES.crashed("a picture that is none")
        return data

    def warm(self) -> None:
        """Have a child ready before it is needed. Raises Unavailable."""
        self._children.warm()

    def close(self) -> None:
        """See `parse.Reader.close`."""
        self._children.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that live, for metrics and tests."""
        return self._children.pids
