"""What is asked of parsers in children."""

from __future__ import annotations

import msgspec

from frostbyte.data_plane.document import Page, Record, Span
from frostbyte.data_plane.parse.limits import ParseLimits


class ParseRequest(Record, frozen=True, kw_only=True, tag="parse"):
    """Read a document."""

    sha256: str
    mime: str
    size: int
    limits: ParseLimits


class PictureRequest(Record, frozen=True, kw_only=True, tag="picture"):
    """Draw a page."""

    mime: str
    page: Page
    redact: tuple[Span, ...]
    highlight: tuple[Span, ...]
    cover_images: bool
    dpi: int
    limits: ParseLimits


Request = ParseRequest | PictureRequest


def encode_request(request: Request) -> bytes:
    """The request's JSON."""
    return msgspec.json.encode(request)


def decode_request(data: bytes) -> Request:
    """The inverse of `encode_request`.

    Raises:
        msgspec.ValidationError: the bytes are no request.
    """
    request: Request = msgspec.json.decode(data, type=ParseRequest | PictureRequest)
    return request
