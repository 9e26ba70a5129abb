"""Parsing: from bytes to the canonical document, without trusting a byte of them.

Nothing here loads a parsing library: processes that only ask for parsing import `Reader` and `PARSER_VERSION`; the
parsers themselves are loaded by `reader.py`, in a child process.
"""

from __future__ import annotations

from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.port import Reader
from frostbyte.data_plane.parse.version import PARSER_VERSION

__all__ = ["DEFAULT_LIMITS", "PARSER_VERSION", "ParseLimits", "Reader"]
