"""Footnotes, endnotes and comments of a DOCX: their texts, their signs, and what they refer to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from frostbyte.data_plane.document import Mark
from frostbyte.data_plane.parse.office.archive import attribute, local
from frostbyte.data_plane.parse.office.numbering import formatted

if TYPE_CHECKING:
    from frostbyte.data_plane.parse.office.docx_place import Place


@dataclass(slots=True)
class Reference:
    """A place that refers to a note."""

    kind: str
    identity: str
    sign: str
    at: int
    target: int | None = None


@dataclass
class _Kind:
    entries: dict[str, Any] = field(default_factory=dict)
    style: str = "decimal"
    count: int = 0
    signs: dict[str, str] = field(default_factory=dict)
    place: Place | None = None


@dataclass(slots=True)
class _Range:
    identity: str
    start: int
    end: int


class Notes:
    """All notes of a document and what was said of them so far."""

    def __init__(self) -> None:
        self._kinds = {"footnote": _Kind(), "endnote": _Kind(style="lowerRoman")}
        self.references: list[Reference] = []
        self._open: dict[str, int] = {}
        self._ranges: list[_Range] = []
        self._ranged: set[str] = set()
        self._referred: set[tuple[str, str]] = set()
        self.separators: list[tuple[str, Any]] = []
        """What stands between text and notes, by kind: a line nearly always, but people may write there."""

    def load(self, kind: str, root: Any, place: Place) -> None:
        """Take the part that holds the notes of a kind. Separators, which have a type, are none."""
        about = self._kinds[kind]
        about.place = place
        for node in root.iter(f"{{*}}{kind}", kind):
            if local(node) == kind and attribute(node, "type") in (None, "normal"):
                identity = attribute(node, "id") or ""
                if identity in about.entries:  # nothing can refer to the second, which is not lost for that
                    identity = f"{identity} {len(about.entries)}"
                about.entries[identity] = node
            elif local(node) == kind:
                self.separators.append((kind, node))

    def number(self, kind: str, properties: Any) -> None:
        """Take a `w:footnotePr` or `w:endnotePr`: in which digits, and from which number on."""
        about = self._kinds[kind]
        for child in properties:
            value = attribute(child, "val") or ""
            if local(child) == "numFmt":
                about.style = value
            elif local(child) == "numStart" and value.isascii() and value.isdigit() and len(value) < 6:
                about.count = int(value) - 1

    def sign(self, kind: str, identity: str, *, own: bool) -> str:
        """What stands in the text at a reference; '' for one that has a sign of its own there, or no note."""
        about = self._kinds[kind]
        if own or identity not in about.entries:
            return ""
        if identity not in about.signs:
            about.count += 1
            about.signs[identity] = f"[^{formatted(about.count, about.style)}]"
        return about.signs[identity]

    def place(self, kind: str, identity: str, sign: str, at: int) -> tuple[int, Any | None]:
        """Record a reference; its number and, the first time, the note itself."""
        index = len(self.references)
        known = (kind, identity) in self._referred
        self._referred.add((kind, identity))
        self.references.append(Reference(kind, identity, sign, at))
        return index, None if known else self._kinds[kind].entries.get(identity)

    def inside(self, kind: str) -> Place:
        """Where the text of such notes stands."""
        place = self._kinds[kind].place
        assert place is not None  # a note was found, so its part was loaded
        return place

    def left(self, kind: str) -> list[tuple[str, Any]]:
        """Notes of a kind that nothing refers to: identifiers and nodes."""
        used = {entry.identity for entry in self.references if entry.kind == kind}
        return [(identity, node) for identity, node in self._kinds[kind].entries.items() if identity not in used]

    def entry(self, kind: str, identity: str) -> Any | None:
        """A note."""
        return self._kinds[kind].entries.get(identity)

    def comment(self, what: str, identity: str, at: int) -> None:
        """Where the range of a comment opens or closes, or its sign stands."""
        if what == "open":
            self._open[identity] = at
        elif what == "close" or identity not in self._ranged:
            self._ranged.add(identity)
            self._ranges.append(_Range(identity, self._open.pop(identity, at), at))

    def marks(self, comment: Callable[[str], int | None]) -> list[Mark]:
        """All places, now that it is known where each note stands."""
        targets: dict[tuple[str, str], int | None] = {}
        for entry in self.references:
            targets.setdefault((entry.kind, entry.identity), entry.target)
        notes = [
            Mark(
                start=entry.at,
                end=entry.at,
                kind=entry.kind,
                target=targets[entry.kind, entry.identity],
                label=entry.sign.strip("[^]"),
            )
            for entry in self.references
        ]
        comments = [
            Mark(start=entry.start, end=entry.end, kind="comment", target=comment(entry.identity))
            for entry in self._ranges
        ]
        return notes + comments
