"""The messages between a pool and its children, and the failures that only a pool can see."""

from __future__ import annotations

import msgspec

from frostbyte.data_plane.document import Page, Record, Span
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.kernel.errors import FrostbyteError, NotFound, StageFailed


class Bounds(Record, frozen=True, kw_only=True):
    """What the operating system holds a child to."""

    memory: int = 4 << 30
    """Bytes of address space."""
    cpu_seconds: int = 3_600
    """Processor time for one document."""


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


class Failure(Record, frozen=True, kw_only=True):
    """An error on its way from a child. A child may be hostile: lengths are bounded, the code is checked."""

    code: str
    message: str
    remedy: str
    missing: bool = False
    """It is a `NotFound`, not a `StageFailed`."""


_CODES = frozenset(
    {
        "encrypted",
        "damaged",
        "too_many_pages",
        "too_many_cells",
        "image_too_large",
        "text_too_large",
        "archive_bomb",
        "unsafe_xml",
        "unsupported_format",
        "account_open",
        "parser_memory",
        "parser_crashed",
        "no_page_picture",
    }
)


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


def encode_failure(error: FrostbyteError) -> bytes:
    """The error as a child sends it."""
    return msgspec.json.encode(
        Failure(code=error.code, message=error.message, remedy=error.remedy, missing=isinstance(error, NotFound))
    )


def decode_failure(data: bytes) -> FrostbyteError:
    """The error that a child sent; `parser_crashed` if it is none of those that parsers raise."""
    try:
        failure = msgspec.json.decode(data, type=Failure)
    except msgspec.DecodeError:
        return crashed("an unreadable answer")
    if failure.code not in _CODES or len(failure.message) > 300 or len(failure.remedy) > 300:
        return crashed("an unexpected answer")
    kind = NotFound if failure.missing else StageFailed
    return kind(failure.code, failure.message, failure.remedy)


_REMEDY = "Save the file again in the program it came from, or print it to PDF, and send that."


def crashed(where: str) -> StageFailed:
    """The failure for a parser that broke; `where` holds no content."""
    return StageFailed("parser_crashed", f"The parser broke on this file ({where}).", _REMEDY)


def out_of_memory() -> StageFailed:
    """The failure for a parser that needed more memory than it may have."""
    return StageFailed("parser_memory", "Reading this file takes more memory than a parser may use.", _REMEDY)


def timed_out(seconds: float) -> StageFailed:
    """The failure for a parser that made no headway."""
    return StageFailed("parser_timeout", f"Reading this file made no headway for {seconds:g} seconds.", _REMEDY)


def too_slow(seconds: float) -> StageFailed:
    """The failure for a document that takes too long in all."""
    return StageFailed(
        "parser_timeout", f"Reading this file takes longer than {seconds:g} seconds.", "Split it into smaller files."
    )


def output_too_large(limit: int) -> StageFailed:
    """The failure for a result larger than is taken over."""
    return StageFailed(
        "output_too_large",
        f"What was read of this file is larger than {limit} bytes.",
        "Split it into smaller files.",
    )
