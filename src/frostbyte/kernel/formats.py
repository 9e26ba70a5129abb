"""What is accepted, each format in one place: how its content is known and who reads it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Format(NamedTuple):
    """A format. docs/add-a-format.md walks through a new one."""

    mime: str
    """Its media type, by which everything else names it."""
    name: str
    """What people call it."""
    reader: str
    """The function that reads it, as `module:function` below `frostbyte.data_plane.parse`; see `parse/readers.py`."""
    magic: tuple[bytes, ...] = ()
    """What its files may begin with."""
    text: re.Pattern[str] | None = None
    """For a kind of text: what its first characters match."""
    main_part: bytes = b""
    """For a kind of Office file: the content type of its main part (ECMA-376 part 2)."""
    pictured: bool = False
    """Whether its pages can be drawn as they look."""


_OFFICE: Final = "application/vnd.openxmlformats-officedocument."

REGISTERED: Final = (
    Format("application/pdf", "PDF", "readers:pdf", pictured=True),  # its header may stand later: intake looks for it
    Format(
        f"{_OFFICE}wordprocessingml.document",
        "DOCX",
        "readers:docx",
        main_part=f"{_OFFICE}wordprocessingml.document.main+xml".encode(),
    ),
    Format(
        f"{_OFFICE}spreadsheetml.sheet",
        "XLSX",
        "readers:xlsx",
        main_part=f"{_OFFICE}spreadsheetml.sheet.main+xml".encode(),
    ),
    Format("text/plain", "TXT", "readers:text"),
    Format("text/csv", "CSV", "readers:text"),
    Format("image/png", "PNG", "readers:image", magic=(b"\x89PNG\r\n\x1a\n",), pictured=True),
    Format(
        "image/tiff",
        "TIFF",
        "readers:image",
        magic=(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
        pictured=True,
    ),
    # A new format is one more entry here.
)
"""Every format. TIFF's signs with a plus are BigTIFF's."""

FORMATS: Final = {entry.mime: entry.name for entry in REGISTERED}
"""The names of the formats that are accepted, by media type."""

PICTURED: Final = frozenset(entry.mime for entry in REGISTERED if entry.pictured)
"""Media types whose pages can be drawn."""
