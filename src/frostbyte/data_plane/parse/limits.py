"""What a parser may spend on one document, and what it says when that is not enough."""

from __future__ import annotations

from frostbyte.data_plane.document import Record
from frostbyte.kernel.errors import StageFailed


class ParseLimits(Record, frozen=True, kw_only=True):
    """Bounds on one document; each has an error of its own, so that the sender knows what to change."""

    max_pages: int = 5_000
    """Pages, sheets or frames; more is `too_many_pages`."""
    max_pixels: int = 150_000_000
    """Pixels of one image or frame (an A0 drawing at 300 dpi has 139 million); more is `image_too_large`."""
    max_characters: int = 100_000_000
    """Characters of the whole document; more is `text_too_large`."""
    max_cells: int = 4_000_000
    """Cells of all tables, counting the empty ones inside a sheet's used area; more is `too_many_cells`."""
    max_entries: int = 10_000
    """Members of a DOCX or XLSX archive; more is `archive_bomb`."""
    max_unpacked: int = 1_000_000_000
    """Bytes that all members may unpack to; more is `archive_bomb`."""
    max_ratio: int = 250
    """Unpacked to packed bytes of members above 10 MB; more is `archive_bomb`. Office files stay below 60."""
    ocr_dpi: int = 200
    """Resolution at which pages without text are rendered for OCR."""
    ocr: bool = True
    """Whether pictures and pages without text are read at all; without it they are told as `not_read`."""
    words: bool = False
    """Whether PDF lines tell where each word stands: about twice the work."""


DEFAULT_LIMITS = ParseLimits()


def damaged(what: str) -> StageFailed:
    """The failure for content that cannot be opened; `what` names the format, never the content."""
    return StageFailed(
        "damaged",
        f"The file is not a readable {what}: its structure is broken.",
        "Open it in the program it came from, save it again and send it as a new file.",
    )


def encrypted(what: str) -> StageFailed:
    """The failure for content that needs a password."""
    return StageFailed(
        "encrypted",
        f"The {what} is protected by a password.",
        "Remove the password and send the file again.",
    )


def too_many_pages(found: int, limit: int) -> StageFailed:
    """The failure for more pages, sheets or frames than allowed."""
    return StageFailed(
        "too_many_pages",
        f"The document has {found} pages; at most {limit} are read.",
        "Split it into smaller files, or have the limit raised.",
    )


def too_many_cells(limit: int) -> StageFailed:
    """The failure for tables larger than allowed."""
    return StageFailed(
        "too_many_cells",
        f"The tables of the document hold more than {limit} cells.",
        "Split the workbook, or clear formatting that stretches its used area.",
    )


def image_too_large(pixels: int, limit: int) -> StageFailed:
    """The failure for an image with more pixels than are decoded."""
    return StageFailed(
        "image_too_large",
        f"An image has {pixels} pixels; at most {limit} are decoded.",
        "Scan at a lower resolution or split the image.",
    )
