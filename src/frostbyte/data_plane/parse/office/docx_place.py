"""Where blocks of a DOCX stand, and what waits there until its paragraph is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.office.docx_scan import Scan

Relations = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where blocks stand."""

    kind: Kind
    relations: Relations
    scan: Scan
    ground: str
    """The colour behind the text, '' for unknown."""
    hidden: str = ""
    depth: int = 0

    def deeper(self, **change: Any) -> Place:
        """The same place one level further in."""
        values = {name: getattr(self, name) for name in self.__slots__} | {"depth": self.depth + 1}
        return Place(**(values | change))


@dataclass(slots=True)
class Pending:
    """What hangs on text and is written behind its element."""

    what: str
    value: Any
    about: str
    at: int
    place: Place
