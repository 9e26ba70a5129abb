"""Readers: in this process (`DirectReader`) or in children that may hang or die (`ParserPool`)."""

from __future__ import annotations

from frostbyte.adapters.parsing.direct import DirectReader
from frostbyte.adapters.parsing.pool import ParserPool

__all__ = ["DirectReader", "ParserPool"]
