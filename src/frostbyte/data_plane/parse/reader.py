"""The one entry to all parsers: bytes and a media type in, a checked canonical document out.

Runs inside the child process; everything that can parse hostile input is imported here and nowhere above.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO, Final

from frostbyte.data_plane.document import Document, Source
from frostbyte.data_plane.garbage import uncollected
from frostbyte.data_plane.parse import wellformed
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.readers import Read
from frostbyte.kernel.errors import StageFailed
from frostbyte.kernel.formats import FORMATS, REGISTERED


def _silent() -> None:
    """Told of progress by parsers that nobody watches."""


def parse(
    source: BinaryIO,
    *,
    sha256: str,
    mime: str,
    size: int,
    limits: ParseLimits = DEFAULT_LIMITS,
    progress: Callable[[], None] = _silent,
) -> Document:
    """Read a document. The same bytes give the same document.

    Args:
        source: the content; seekable.
        sha256: hex digest of the content, recorded as it is given.
        mime: one of `document.FORMATS`.
        size: bytes.
        limits: bounds on the work.
        progress: called at least once a page.

    Raises:
        StageFailed: see `port.Reader.parse`.
    """
    if mime not in FORMATS:
        raise StageFailed(
            "unsupported_format",
            "This format is not read.",
            f"Send one of {', '.join(FORMATS.values())}.",
        )
    progress()
    with uncollected():
        document = _READERS[mime](source, Source(sha256=sha256, mime=mime, size=size), limits, progress)
    total = sum(len(page.text) for page in document.pages)
    if total > limits.max_characters:
        raise StageFailed(
            "text_too_large",
            f"The text has {total} characters; at most {limits.max_characters} are read.",
            "Split it into smaller files.",
        )
    with uncollected():
        wellformed.check(document)
    return document


def _resolved(reader: str) -> Read:
    module, _, function = reader.partition(":")
    found: Read = getattr(import_module(f"frostbyte.data_plane.parse.{module}"), function)
    return found


_READERS: Final[dict[str, Read]] = {entry.mime: _resolved(entry.reader) for entry in REGISTERED}
"""All of them, loaded before the first document: a child process is forked from one that has them."""
