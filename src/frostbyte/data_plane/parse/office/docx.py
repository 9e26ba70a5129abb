"""DOCX: body, tables, notes, headers, text boxes, comments and tracked changes, straight from the parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

from frostbyte.data_plane.document import Drop, Kind, Mark, Page
from frostbyte.data_plane.parse.building import clean
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.office.archive import Archive, attribute, is_on, local, opened
from frostbyte.data_plane.parse.office.docx_bindings import Bindings
from frostbyte.data_plane.parse.office.docx_body import Writer
from frostbyte.data_plane.parse.office.docx_notes import Notes
from frostbyte.data_plane.parse.office.docx_place import Place
from frostbyte.data_plane.parse.office.docx_plain import read_part
from frostbyte.data_plane.parse.office.docx_scan import Scan
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages
from frostbyte.data_plane.parse.office.numbering import Numbering
from frostbyte.data_plane.parse.office.properties import properties
from frostbyte.data_plane.parse.office.styles import PAPER, Styles

_VARIANTS: Final = {"first": "first_pages", "even": "even_pages"}
_MANY: Final = 100
"""Embedded documents that are noted one by one."""


@dataclass(frozen=True, slots=True)
class DocxResult:
    """What was read of a DOCX."""

    page: Page
    metadata: dict[str, str]
    notes: tuple[str, ...]


def read_docx(source: BinaryIO, limits: ParseLimits, progress: Callable[[], None]) -> DocxResult:
    """Read a DOCX as one page.

    The body comes first, each footnote behind the paragraph or table that refers to it; then endnotes, headers,
    footers and comments. Of an embedded document the note `embedded_document_not_read` stands for each.

    Raises:
        StageFailed: `encrypted`, `damaged`, `archive_bomb`, `unsafe_xml`, `too_many_cells`.
    """
    with opened(source, "DOCX", limits) as archive:
        document = _Document(archive, limits, progress)
        document.write()
        embedded = [note for note in document.writer.remarks if note == "embedded_document_not_read"]
        others = dict.fromkeys(note for note in document.writer.remarks if note != "embedded_document_not_read")
        metadata, more = properties(archive)
        return DocxResult(document.writer.builder.page(1), metadata, (*others, *more, *embedded[:_MANY]))


class _Document:
    def __init__(self, archive: Archive, limits: ParseLimits, progress: Callable[[], None]) -> None:
        self._archive = archive
        main = archive.main_part("word/document.xml")
        self._relations = archive.relations(main)
        styles, numbers, self._settings = (self._part(kind) for kind in ("styles", "numbering", "settings"))
        self._styles = Styles(styles)
        self._root, plain = read_part(archive.read(main), self._styles)
        self._ground = PAPER
        for child in self._root:
            if local(child) == "background":
                self._ground = (attribute(child, "color") or PAPER).upper()
        notes = Notes()
        images = EmbeddedImages(archive, limits, progress)
        bindings = Bindings(archive, self._relations)
        self.writer = Writer(
            archive, self._styles, Numbering(numbers), images, limits, progress, notes, bindings, plain
        )
        for kind in ("footnote", "endnote"):
            self._load(kind, notes)

    def write(self) -> None:
        """Write everything."""
        writer = self.writer
        body = Place(Kind.PARAGRAPH, self._relations, Scan(self._root, self._styles), self._ground)
        bodies = [node for node in self._root if local(node) == "body"] or list(islice(self._root.iter("{*}body"), 1))
        for node in bodies:
            writer.story(node, body)
        self._endnotes()
        self._margins()
        comments = self._comments()
        writer.builder.marks += writer.notes.marks(comments.get)
        if (fonts := self._name("fontTable")) and self._archive.relations(fonts):
            writer.remarks.append("embedded_fonts_not_compared")  # in which an A may look like a B
        if self._name("glossaryDocument"):
            writer.remarks.append("building_blocks_not_read")
        if writer.images.passed_over():
            writer.remarks.append("pictures_not_read")

    def _part(self, kind: str) -> Any | None:
        name = self._name(kind)
        return self._archive.xml(name) if name else None

    def _name(self, kind: str) -> str:
        return next(
            (name for found, name in self._relations.values() if found == kind and name in self._archive.names), ""
        )

    def _place(self, part: str, root: Any, kind: Kind, hidden: str = "") -> Place:
        return Place(kind, self._archive.relations(part), Scan(root, self._styles), self._ground, hidden)

    def _load(self, kind: str, notes: Notes) -> None:
        for settings in (self._settings, self._root):
            for node in settings.iter(f"{{*}}{kind}Pr") if settings is not None else ():
                notes.number(kind, node)
                break
        if name := self._name(f"{kind}s"):
            root = self._archive.xml(name)
            notes.load(kind, root, self._place(name, root, Kind.FOOTNOTE))

    def _endnotes(self) -> None:
        writer, done = self.writer, set[str]()
        for index, reference in enumerate(list(writer.notes.references)):
            node = writer.notes.entry("endnote", reference.identity) if reference.kind == "endnote" else None
            if node is not None and reference.identity not in done:
                done.add(reference.identity)
                writer.note(index, node)
        for kind in ("footnote", "endnote"):
            for _, node in writer.notes.left(kind):
                writer.story(node, writer.notes.inside(kind))
        for kind, node in writer.notes.separators:
            writer.story(node, writer.notes.inside(kind))

    def _margins(self) -> None:
        """Headers and footers, each text once; those of a kind that is switched off are not seen."""
        written: dict[tuple[str, str], None] = {}
        for word, kind in (("header", Kind.HEADER), ("footer", Kind.FOOTER)):
            texts: set[str] = set()
            for part, variant, shown in self._references(word):
                if (word, part) in written or part not in self._archive.names:
                    continue
                written[word, part] = None
                self._margin(part, kind, variant if shown else "", "" if shown else "invisible", texts)

    def _margin(self, part: str, kind: Kind, variant: str, hidden: str, texts: set[str]) -> None:
        builder = self.writer.builder
        root = self._archive.xml(part)
        before, elements = builder.at, len(builder.elements)
        self.writer.story(root, self._place(part, root, kind, hidden))
        start = before + 1 if before else 0
        text = builder.text(start, builder.at)
        if len(builder.elements) == elements or hidden:
            return
        if text in texts:
            _drop(self.writer, elements, f"repeated_{kind.value}")
        elif variant in _VARIANTS:
            builder.marks.append(Mark(start=start, end=builder.at, kind=_VARIANTS[variant]))
        texts.add(text)

    def _references(self, word: str) -> list[tuple[str, str, bool]]:
        """Parts with their variant, and whether Word shows them; parts that no section names come last."""
        even = self._settings is not None and any(is_on(node) for node in self._settings.iter("{*}evenAndOddHeaders"))
        found: list[tuple[str, str, bool]] = []
        for section in self._root.iter("{*}sectPr"):
            title = any(is_on(node) for node in section.iterchildren("{*}titlePg"))
            for node in section.iterchildren(f"{{*}}{word}Reference"):
                variant = attribute(node, "type") or "default"
                identity = attribute(node, "id") or ""
                shown = title if variant == "first" else even if variant == "even" else True
                found.append((self._relations.get(identity, ("", ""))[1], variant, shown))
        found.sort(key=lambda entry: not entry[2])  # a part that one section shows is shown
        named = {part for part, _, _ in found}
        others = {part for kind, part in self._relations.values() if kind == word} - named
        return found + [(part, "default", True) for part in sorted(others)]

    def _comments(self) -> dict[str, int]:
        """Write the comments; where each begins."""
        name, builder = self._name("comments"), self.writer.builder
        starts: dict[str, int] = {}
        if not name:
            return starts
        root = self._archive.xml(name)
        place = self._place(name, root, Kind.COMMENT, "comment")
        for node in root.iter("{*}comment", "comment"):
            if local(node) == "comment":
                start = builder.at + 1 if builder.at else 0
                self.writer.lead = clean(attribute(node, "author") or "")
                self.writer.story(node, place)
                self.writer.lead = ""
                if builder.at > start:
                    starts[attribute(node, "id") or ""] = start
        return starts


def _drop(writer: Writer, first: int, reason: str) -> None:
    """Take the elements from `first` on for a repetition: what was found in them is dropped, the text stays."""
    builder = writer.builder
    start = builder.elements[first].start
    special = builder.inserted(start)
    special += [(drop.start, drop.end) for drop in builder.dropped if drop.end > start]
    del builder.elements[first:]
    at = start
    for begin, end in [*sorted(special), (builder.at, builder.at)]:
        if begin > at:
            builder.dropped.append(Drop(start=at, end=begin, reason=reason))
        at = max(at, end)
    builder.dropped.sort(key=lambda drop: drop.start)
