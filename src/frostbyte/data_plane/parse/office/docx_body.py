"""Writes the blocks of a DOCX part (paragraphs, tables, what hangs on them) into the page, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from frostbyte.data_plane.document import Cell, Element, Grid, Kind, Mark
from frostbyte.data_plane.parse.building import Open, PageBuilder
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_cells
from frostbyte.data_plane.parse.marks import LIST_MARK
from frostbyte.data_plane.parse.office import docx_tables as tables
from frostbyte.data_plane.parse.office.alternatives import kept
from frostbyte.data_plane.parse.office.archive import Archive, attribute, local, parsed
from frostbyte.data_plane.parse.office.docx_bindings import Bindings
from frostbyte.data_plane.parse.office.docx_drawing import ground_of
from frostbyte.data_plane.parse.office.docx_judge import Rows
from frostbyte.data_plane.parse.office.docx_notes import Notes
from frostbyte.data_plane.parse.office.docx_place import Pending, Place
from frostbyte.data_plane.parse.office.docx_plain import Stretch
from frostbyte.data_plane.parse.office.docx_scan import Scan, Stated
from frostbyte.data_plane.parse.office.docx_signs import SIGN, unsigned
from frostbyte.data_plane.parse.office.docx_text import Fields, Paragraph, ParagraphReader
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages
from frostbyte.data_plane.parse.office.graphics import graphic_lines
from frostbyte.data_plane.parse.office.numbering import Numbering, is_worded
from frostbyte.data_plane.parse.office.styles import Style, Styles

_MAX_DEPTH: Final = 40
_GONE: Final = {"del": "deleted", "moveFrom": "moved_away"}
_INLINE: Final = frozenset(
    "r t delText hyperlink smartTag fldSimple bdo dir ruby oMath oMathPara drawing pict object contentPart".split()
)
"""What stands in paragraphs, and is read as one where it stands beside them."""


@dataclass
class Writer:
    """Writes one document."""

    archive: Archive
    styles: Styles
    numbering: Numbering
    images: EmbeddedImages
    limits: ParseLimits
    progress: Callable[[], None]
    notes: Notes
    bindings: Bindings
    plain: dict[Any, Stretch] = field(default_factory=dict)
    """What is not in the tree, by the nodes that stand for it."""
    builder: PageBuilder = field(default_factory=PageBuilder)
    remarks: list[str] = field(default_factory=list)
    fields: Fields = field(default_factory=Fields)
    prefix: str = ""
    """What is written before the next paragraph: a note's sign."""
    lead: str = ""
    """Whose words the next paragraph begins, as the file says: the author of a comment."""
    _cells: int = 0
    _pending: list[Pending] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = ParagraphReader(self.styles, self.fields, self.bindings)
        usual = self.styles.paragraph("")
        self._usual = usual if usual.number in ("", "0") else None
        """The style of paragraphs that state none, where it makes no list of them."""

    def story(self, root: Any, place: Place) -> None:
        """Write all blocks of a part; fields do not run out of it."""
        outer = list(self.fields.open)
        self.fields.pair(root.iter(place.scan.field_character))
        self.fields.open.clear()
        self.blocks(root, place)
        self.fields.open[:] = outer

    def blocks(self, parent: Iterable[Any], place: Place) -> None:
        """Write what stands in `parent`."""
        if place.depth > _MAX_DEPTH:
            self.remarks.append("nesting_too_deep")
            return
        for node in parent:
            name = local(node)
            if name == "p":
                self._paragraph(node, place)
            elif name == "tbl":
                self._table(node, place)
            elif name == "AlternateContent":
                self.blocks(kept(node, self.remarks), place.deeper())
            elif name in tables.WRAPPERS:
                if value := self._replaced(node, name):
                    self._piece(place.kind, value, place.hidden)
                self.blocks(node, place.deeper(hidden=place.hidden or ("replaced" if value else "")))
            elif name in _GONE:
                self.blocks(node, place.deeper(hidden=_GONE[name]))
            elif name in ("altChunk", "subDoc"):
                self.remarks.append("embedded_document_not_read")
            elif name in ("commentRangeStart", "commentRangeEnd"):
                self._comment("open" if name == "commentRangeStart" else "close", attribute(node, "id") or "")
            elif node in self.plain:
                self._stretch(self.plain[node], place)
            elif name in _INLINE:
                self._paragraph((node,), place)
            elif len(node) and not name.endswith("Pr"):
                self.blocks(node, place.deeper())  # of whoever may have written it: what it holds is shown

    def _replaced(self, node: Any, name: str) -> str:
        """What is shown instead of what stands in a content control, or ''."""
        value, note = self.bindings.replaced(node) if name == "sdt" else ("", "")
        self.remarks += [note] if note else []
        return value

    def _stretch(self, stretch: Stretch, place: Place) -> None:
        """Write plain blocks that were never parsed."""
        if self.fields.open or place.hidden or stretch.careful:
            root = parsed(stretch.source(), "DOCX")
            self.blocks(root[0], place.deeper(scan=Scan(root, self.styles), depth=place.depth))
            return
        texts = iter(stretch.texts)
        for block in stretch.blocks:
            if isinstance(block, Rows):
                self._plain_table(block, list(islice(texts, sum(block))))
            else:
                self.progress()
                style, label, level = self._properties(block, place)
                text = next(texts)
                read = unsigned(text) if stretch.signed and SIGN.search(text) else None
                self._whole(read.seen() if read else text, read, (style, label, level), place, style.contents)

    def _plain_table(self, rows: Rows, texts: list[str]) -> None:
        builder, columns = self.builder, max(rows)
        self._count(len(rows), columns)
        start = builder.begin()
        self._begin()
        if not all(map(str.strip, texts)):
            texts = [text if text.strip() else "" for text in texts]
        cells = tables.written_plain(builder, rows, texts, headed=rows.headed)
        builder.end(Element(kind=Kind.TABLE, start=start, end=builder.at, cells=cells, rows=len(rows), columns=columns))

    def _paragraph(self, node: Any, place: Place) -> None:
        self.progress()
        style, label, level = self._properties(place.scan.properties.get(node), place)
        contents = style.contents or self.fields.in_contents
        text = self._plain(node, style, place)
        read: Paragraph | None = None
        if text is None:
            read = self._reader.read(node, style.look, place.scan.ground(node, place.ground))
            text = read.seen()
            contents = contents or self.fields.in_contents
        self._whole(text, read, (style, label, level), place, contents)

    def _whole(
        self, text: str, read: Paragraph | None, about: tuple[Style, str, int], place: Place, contents: bool
    ) -> None:
        """Write a paragraph of which all is known; `about` is what `_properties` says of it."""
        style, label, level = about
        inked = bool(text.strip()) or (read is not None and any(item.what.endswith("note") for item in read.items))
        if not inked and not is_worded(label):
            if read is not None:
                self._put(read, place, silent=True)
                self._settle()
            return
        kind = place.kind
        if kind is Kind.PARAGRAPH:
            kind, level = self._role(style, label, level, text, contents)
        builder = self.builder
        start = builder.begin()
        if label or self.lead or self.prefix:
            self._begin(label, text)
        if read is None:
            builder.found(text)
        else:
            self._put(read, place, silent=not inked)
        builder.end(Element(kind=kind, start=start, end=builder.at, level=level, hidden=place.hidden))
        if contents:
            builder.marks.append(Mark(start=start, end=builder.at, kind="contents"))
        if self._pending:
            self._settle()

    def _begin(self, label: str = "", text: str = "") -> None:
        """Write what stands before a paragraph's own `text`."""
        if self.lead:
            self.builder.found(self.lead)
            self.builder.insert(": ")
        if self.prefix:
            self.builder.insert(f"{self.prefix}:" if text[:1].isspace() else f"{self.prefix}: ")
        if label:
            self.builder.insert(label)
        self.lead = self.prefix = ""

    def _plain(self, node: Any, style: Style, place: Place) -> str | None:
        """The text of a paragraph that holds nothing but visible runs, or None."""
        alone = isinstance(node, tuple)  # what stands where a paragraph should
        return None if alone or style.hides or self.fields.open else place.scan.plain_text(node)

    def _properties(self, stated: Stated | None, place: Place) -> tuple[Style, str, int]:
        """Style, label of list or heading, and level: of the heading where positive, of the list where negative."""
        if stated is None and self._usual is not None:
            return self._usual, "", self._usual.level
        style = self.styles.paragraph(stated.style if stated else "")
        number = (stated.number if stated else "") or style.number
        level = style.level
        if stated and stated.outline is not None:
            level = stated.outline
        if not number or number == "0":
            return style, "", level
        indent = stated.indent if stated and stated.indent is not None else style.indent
        if indent is None:
            indent = self.numbering.level_of(number, (stated.style if stated else "") or self.styles.default)
        if place.hidden:
            return style, "", level or -1 - indent
        return style, self.numbering.label(number, indent), level or -1 - indent

    def _role(self, style: Style, label: str, level: int, text: str, contents: bool) -> tuple[Kind, int]:
        if contents:
            return Kind.PARAGRAPH, 0
        if level > 0:
            return Kind.HEADING, level
        if style.caption:
            return Kind.CAPTION, 0
        if level < 0:
            return Kind.LIST_ITEM, -level
        return (Kind.LIST_ITEM, 1) if LIST_MARK.match(text) else (Kind.PARAGRAPH, 0)

    def _put(self, paragraph: Paragraph, place: Place, *, silent: bool = False) -> None:
        """Write a paragraph's items; what hangs on it waits for `_settle`. `silent`: it shows nothing but space."""
        builder = self.builder
        for what, text, about in paragraph.items:
            if what == "text":
                if not silent:
                    span = builder.found(text)
                    if about:
                        builder.marks.append(Mark(start=span.start, end=span.end, kind=about))
            elif what == "made":
                if not silent:
                    builder.insert(text)
            elif what == "lost":
                builder.drop(text, about)
            elif what == "hidden":
                self._pending.append(Pending("hidden", text, about, builder.at, place))
            elif what in ("footnote", "endnote"):
                sign = self.notes.sign(what, about, own=bool(text))
                if sign:
                    builder.insert(sign)
                self._pending.append(Pending(what, about, sign, builder.at, place))
            else:
                self._comment(what, about)
        for what, value, hidden in paragraph.extras:
            where = place.deeper(hidden=hidden, depth=place.depth) if hidden and not place.hidden else place
            self._pending.append(Pending(what, value, "", builder.at, where))
        self.remarks += paragraph.notes

    def _comment(self, what: str, identity: str) -> None:
        self.notes.comment(what, identity, self.builder.at)

    def _settle(self) -> None:
        """Write what hangs on the text before, in its order."""
        pending, self._pending = self._pending, []
        for entry in pending:
            if entry.place.depth > _MAX_DEPTH:
                self.remarks.append("nesting_too_deep")
            else:
                _HANGING[entry.what](self, entry)

    def _hidden(self, entry: Pending) -> None:
        start = self._piece(Kind.PARAGRAPH, entry.value, entry.place.hidden or entry.about)
        if start is not None:
            self.builder.marks.append(Mark(start=entry.at, end=entry.at, kind=entry.about, target=start))

    def _note(self, entry: Pending) -> None:
        """A note, where it is referred to the first time. Endnotes wait for the end."""
        mark, node = self.notes.place(entry.what, entry.value, entry.about, entry.at)
        if node is not None and entry.what == "footnote":
            self.note(mark, node)

    def note(self, index: int, node: Any) -> None:
        """Write the note of the reference `index`."""
        sign = self.notes.references[index].sign
        self.prefix = sign
        place = self.notes.inside(self.notes.references[index].kind)
        start = self.builder.at + (1 if self.builder.at else 0)
        self.story(node, place)
        self.prefix = ""
        if self.builder.at > start:
            self.notes.references[index].target = start

    def _box(self, entry: Pending) -> None:
        ground = ground_of(entry.value, entry.place.ground)
        start = self.builder.at + (1 if self.builder.at else 0)
        self.story(entry.value, entry.place.deeper(ground=ground))
        target = start if self.builder.at > start else None
        self.builder.marks.append(Mark(start=entry.at, end=entry.at, kind="text_box", target=target))

    def _image(self, entry: Pending) -> None:
        self.images.write(self.builder, entry.place.relations.get(entry.value, ("", ""))[1])

    def _alternative(self, entry: Pending) -> None:
        self._piece(Kind.FIGURE, entry.value, "alternative_text")

    def _art(self, entry: Pending) -> None:
        kind = entry.place.kind
        self._piece(kind, entry.value, entry.place.hidden)

    def _graphic(self, entry: Pending) -> None:
        part = entry.place.relations.get(entry.value, ("", ""))[1]
        if part not in self.archive.names:
            self.remarks.append("chart_not_read")
            return
        lines, more = graphic_lines(self.archive, part, entry.what)
        if more:
            self.remarks.append("chart_text_left_out")
        if lines:
            with self.builder.element(Kind.FIGURE, hidden=entry.place.hidden):
                for number, line in enumerate(lines):
                    if number:
                        self.builder.insert("\n")
                    self.builder.found(line)

    def _object(self, entry: Pending) -> None:
        self.remarks.append("embedded_document_not_read")

    def _piece(self, kind: Kind, text: str, hidden: str) -> int | None:
        """Write an element of one text; where it begins, or None if it is blank."""
        if not text.strip():
            return None
        self.builder.piece(kind, text, hidden=hidden)
        return self.builder.elements[-1].start

    def _table(self, node: Any, place: Place) -> None:
        cells = self._grid(node, place)
        if not cells:
            return
        if place.kind not in (Kind.PARAGRAPH, Kind.FOOTNOTE):
            self._rows(cells, place, self._ground(node, place))
            return
        rows, columns = tables.size(cells)
        with self.builder.element(Kind.TABLE, rows=rows, columns=columns, hidden=place.hidden) as element:
            self._fill(cells, place.deeper(ground=self._ground(node, place)), element)
        self._tell(node, place)
        if self._pending:
            self._settle()

    def _grid(self, node: Any, place: Place) -> list[tables.GridCell]:
        cells = tables.grid(node)
        self._count(*tables.size(cells))
        self.remarks += tables.lost(node)
        for control in tables.controls(node):
            if value := self._replaced(control, "sdt"):
                self._pending.append(Pending("art", value, "", self.builder.at, place))
        return cells

    def _tell(self, table: Any, place: Place) -> None:
        if text := tables.told(table):
            self._pending.append(Pending("alternative_text", text, "", self.builder.at, place))

    def _count(self, rows: int, columns: int) -> None:
        self._cells += rows * columns
        if self._cells > self.limits.max_cells:
            raise too_many_cells(self.limits.max_cells)

    def _ground(self, table: Any, place: Place) -> str:
        """The ground of a table whose style puts colours behind cells is not known."""
        if not self.styles.shaded:
            return place.ground
        named = next(
            (item for part in table.iterchildren("{*}tblPr") for item in part.iterchildren("{*}tblStyle")), None
        )
        return "" if named is not None and attribute(named, "val") in self.styles.shaded else place.ground

    def _rows(self, cells: list[tables.GridCell], place: Place, ground: str) -> None:
        """A table that only lays out a header, footer or comment: each row is a line of it."""
        for row in sorted({cell.row for cell in cells}):
            with self.builder.element(place.kind, hidden=place.hidden):
                self._begin()
                start = self.builder.at
                for cell in cells:
                    if cell.row == row:
                        if self.builder.at > start:
                            self.builder.insert("\t")
                        self._cell(cell, place.deeper(ground=ground), [])
            self._settle()

    def _fill(self, cells: list[tables.GridCell], place: Place, into: Open) -> None:
        self._begin()
        usual = self._usual
        if usual is not None and not (usual.hides or self.fields.open or place.hidden or place.depth > _MAX_DEPTH):
            texts = tables.plain_texts(cells, place.scan)
            if texts is not None:
                into.cells += tables.written(self.builder, cells, texts)
                return
        row = 0
        for index, cell in enumerate(cells):
            if index:
                self.builder.insert("\n" if cell.row > row else "\t")
            row = cell.row
            start, inner = self.builder.at, list[Grid]()
            self._cell(cell, place, inner)
            into.cells.append(
                Cell(
                    row=row,
                    column=cell.column,
                    row_span=cell.row_span,
                    column_span=cell.column_span,
                    start=start,
                    end=self.builder.at,
                    header=cell.header,
                    inner=tuple(inner),
                )
            )

    def _cell(self, cell: tables.GridCell, place: Place, inner: list[Grid]) -> None:
        if cell.fill:
            place = place.deeper(ground="" if cell.fill == "?" else cell.fill)
        self._cell_blocks(cell.node, place, inner, self.builder.at)

    def _cell_blocks(self, parent: Any, place: Place, inner: list[Grid], start: int) -> None:
        """Write a cell's paragraphs and the tables in it."""
        if place.depth > _MAX_DEPTH:
            self.remarks.append("nesting_too_deep")
            return
        for child in parent:
            name = local(child)
            if name == "p":
                self._cell_paragraph(child, place, start)
            elif name == "tbl":
                self._inner_table(child, place, inner, start)
            elif name == "AlternateContent":
                self._cell_blocks(kept(child, self.remarks), place.deeper(), inner, start)
            elif name in tables.WRAPPERS:
                if value := self._replaced(child, name):
                    if self.builder.at > start:
                        self.builder.insert("\n")
                    self.builder.found(value)
                hidden = place.hidden or ("replaced" if value else "")
                self._cell_blocks(child, place.deeper(hidden=hidden), inner, start)
            elif name in _GONE:
                self._cell_blocks(child, place.deeper(hidden=_GONE[name]), inner, start)
            elif name in ("altChunk", "subDoc"):
                self.remarks.append("embedded_document_not_read")
            elif name in ("commentRangeStart", "commentRangeEnd"):
                self._comment("open" if name == "commentRangeStart" else "close", attribute(child, "id") or "")
            elif name in _INLINE:
                self._cell_paragraph((child,), place, start)
            elif len(child) and not name.endswith("Pr"):
                self._cell_blocks(child, place.deeper(), inner, start)

    def _cell_paragraph(self, node: Any, place: Place, start: int) -> None:
        builder = self.builder
        style, label, _ = self._properties(place.scan.properties.get(node), place)
        text = self._plain(node, style, place)
        read: Paragraph | None = None
        if text is None:
            read = self._reader.read(node, style.look, place.scan.ground(node, place.ground))
            text = read.seen()
        if place.hidden:
            self._pending.append(Pending("hidden", text, place.hidden, builder.at, place))
            if read is not None:
                self._put(read, place, silent=True)
            return
        inked = bool(text.strip()) or (read is not None and any(item.what.endswith("note") for item in read.items))
        if inked or is_worded(label):
            if builder.at > start:
                builder.insert("\n")
            if label:
                builder.insert(label)
        if read is not None:
            self._put(read, place, silent=not inked)
        elif inked:
            builder.found(text)

    def _inner_table(self, node: Any, place: Place, inner: list[Grid], start: int) -> None:
        cells = self._grid(node, place)
        if not cells:
            return
        if self.builder.at > start:
            self.builder.insert("\n")
        rows, columns = tables.size(cells)
        draft = Open(start=self.builder.at)
        self._fill(cells, place.deeper(ground=self._ground(node, place)), draft)
        inner.append(Grid(start=draft.start, end=self.builder.at, rows=rows, columns=columns, cells=tuple(draft.cells)))
        self._tell(node, place)


_HANGING: Final[dict[str, Callable[[Writer, Pending], None]]] = {
    "hidden": Writer._hidden,
    "footnote": Writer._note,
    "endnote": Writer._note,
    "box": Writer._box,
    "image": Writer._image,
    "alternative_text": Writer._alternative,
    "art": Writer._art,
    "chart": Writer._graphic,
    "diagram": Writer._graphic,
    "object": Writer._object,
}
