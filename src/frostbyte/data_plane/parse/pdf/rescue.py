"""Second chance for PDFs whose end is missing: a new trailer, and a new page tree from the pages that are there."""

from __future__ import annotations

import re
from typing import Final

_OBJECT: Final = re.compile(rb"(?:^|[\s>])(\d{1,9})\s+(\d{1,5})\s+obj\b")
_TYPE: Final = re.compile(rb"/Type\s*/(Catalog|Page)(?![A-Za-z])")
_HEAD_BYTES: Final = 4_096
"""How far into an object its type is looked for; dictionaries of pages and catalogs are short."""
_MAX_PAGES: Final = 20_000
_CATALOG: Final = 4_190_001
_PAGES: Final = 4_190_002
"""Below the highest object number that PDFium takes (2 to the 22nd), above those that files use."""


def rescued(data: bytes) -> bytes | None:
    """The PDF with what its lost end held, or None where no page can be found.

    Objects inside compressed object streams are out of reach: only classic files can be rescued.
    """
    pages: dict[bytes, None] = {}
    for match in _OBJECT.finditer(data):
        end = data.find(b"endobj", match.end(), match.end() + _HEAD_BYTES)
        body = data[match.end() : end if end >= 0 else match.end() + _HEAD_BYTES]
        kind = _TYPE.search(body.split(b"stream", 1)[0])
        if kind is not None and kind.group(1) == b"Page" and end >= 0 and len(pages) < _MAX_PAGES:
            pages[b"%d %d R" % (int(match.group(1)), int(match.group(2)))] = None
    if not pages:
        return None
    return data + (
        b"\nendstream endobj\n%d 0 obj<</Type/Catalog/Pages %d 0 R>>endobj\n" % (_CATALOG, _PAGES)
        + b"%d 0 obj<</Type/Pages/Count %d/Kids[%s]>>endobj\n" % (_PAGES, len(pages), b" ".join(pages))
        + b"trailer<</Root %d 0 R/Size %d>>\nstartxref\n0\n%%%%EOF\n" % (_CATALOG, _PAGES + 1)
    )
