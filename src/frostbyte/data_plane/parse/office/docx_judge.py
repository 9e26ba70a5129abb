"""What markup between two texts of a DOCX does, judged by the careful reader itself: it is put into a tiny document,
and what lxml and `Scan` make of that decides.

That a piece of markup means the same wherever it stands is what makes this sure: a paragraph is plain if each node in
it is, and its text is that of its `w:t` one after another.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.archive import local, parsed
from frostbyte.data_plane.parse.office.docx_scan import Scan, Stated
from frostbyte.data_plane.parse.office.docx_tables import is_bold, plain_rows
from frostbyte.data_plane.parse.office.styles import Styles
from frostbyte.kernel.errors import StageFailed

TOP: Final = ""
PARAGRAPH: Final = "p"
TABLE: Final = "tbl"
BETWEEN: Final = b"\x01"
"""Stands behind each text. XML has no such character."""

_BEFORE: Final = {
    TOP: b"",
    PARAGRAPH: b"<w:p><w:r><w:t></w:t>",
    TABLE: b"<w:tbl><w:tr><w:tc><w:p><w:r><w:t></w:t>",
}
_BEHIND: Final = {
    PARAGRAPH: b"></w:t></w:r></w:p>",
    TABLE: b"></w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
}
_TAG: Final = re.compile(rb"<(/?)[^<>]*?(/?)>")


def _in_order(*names: str) -> str:
    return "".join(f'(?:{name}="[0-9A-F]{{8}}"(?: |(?=>)))?' for name in names)


_SESSIONS: Final = _in_order(*(f"w:rsid{name}" for name in ("R", "RPr", "Del", "RDefault", "P")))
_PARAGRAPHS: Final = _in_order("w14:paraId", "w14:textId")
_REVISED, _IDENTIFIED = (
    re.compile(f" (?:(?<=<w:[pr] )|(?<=<w:tr ))(?:{'|'.join(orders)})(?=>)".encode())
    for orders in (
        (_SESSIONS + _in_order("w:rsidTr"),),
        (_PARAGRAPHS + _SESSIONS + _in_order("w:rsidTr"), _SESSIONS + _PARAGRAPHS + _in_order("w:rsidTr")),
    )
)
"""What tags say of the session in which something was written, or which paragraph it is, where they say nothing else.
An attribute that stands twice makes XML broken, and has to stay, as has one whose namespace is not declared."""
_SILENT: Final = (
    rb'(?:<w:(?:proofErr w:type="[A-Za-z]+"|bookmarkStart w:id="[0-9]+" w:name="[\w.:$-]*"|bookmarkEnd w:id="[0-9]+")'
    rb" ?/>)+"
)
_ASIDE: Final = re.compile(rb"(?<=</w:r>)%b|(?<!/>)%b(?=<w:r[ >])" % (_SILENT, _SILENT))
"""What Word notes beside runs, each time with another number. Not from the middle of such notes on: that takes their
number's square in time."""
_HOPELESS: Final = re.compile(
    rb"<(?:w:(?:ins|del|moveFrom|moveTo|hyperlink|fldSimple|fldChar|instrText|smartTag|sdt|drawing|pict|object|tab|br|sym|"
    rb"footnoteReference|endnoteReference|commentR\w+|gridSpan|vMerge|tblHeader|sectPr)[ />]|!|\?)"
)
"""What is never plain, or not plain where it is not closed before the next text: this saves asking, and no more."""
_LONGEST: Final = 20_000
"""Bytes of markup that is judged."""
_LOOK: Final = re.compile(rb"<w:rPr>[^<]*(?:<(?!/?w:rPr>)[^<]*)*</w:rPr>")
_BOLD: Final = b"<w:rPr><w:b/></w:rPr>"
_IGNORED: Final = frozenset({"bookmarkStart", "bookmarkEnd", "proofErr"})
_KEPT: Final = ("{*}sectPr", "{*}footnotePr", "{*}endnotePr")
"""What is looked for in the whole tree."""


class Rows(list[int]):
    """A table, by the number of cells in each row."""

    headed = False
    """Whether its first row heads its columns."""


Block = Stated | Rows | None
"""A paragraph by what it states, if anything, or a table."""


class Step(NamedTuple):
    """What markup does before the text that follows it."""

    ends: bytes = b""
    """The ends of texts, of the one before and of empty ones, up to the last block that begins."""
    grown: tuple[int, ...] = ()
    """Cells that the open table gets: in its last row, then in new rows."""
    blocks: tuple[Block, ...] = ()
    """Blocks that begin; all but the last also end."""
    filled: bytes = b""
    """The ends of the empty texts of the last block."""
    state: str = ""
    """In which block the text stands."""
    bold: bool | None = False
    """Whether the text's run is bold by its own formatting; None: it is the run of the text before."""
    special: bool = False
    """Whether there is more to it than one more paragraph, or more cells."""


JOINED: Final = Step()
"""The text goes on."""
_JOINED_IN_TABLE: Final = {False: JOINED, True: Step(bold=True, special=True), None: Step(bold=None, special=True)}
"""The same, where a first row may head the columns."""
REFUSED: Final = Step(special=True)
"""Not plain."""


def change(markup: bytes) -> int | None:
    """By how many levels of a tree markup goes down; None if not each `<` and `>` in it is that of a tag."""
    begun = markup.count(b"<")
    if b"<!" in markup or b"<?" in markup or begun != markup.count(b">"):
        return None
    return begun - 2 * markup.count(b"</") - markup.count(b"/>")


def may_leave(markup: bytes, depth: int) -> bool:
    """Whether markup may lead out of as many elements as `depth`. Properties end where they begin."""
    return markup.count(b"</") - markup.count(b"</w:rPr>") - markup.count(b"</w:pPr>") >= depth


def lowest(markup: bytes) -> tuple[int, int]:
    """The lowest level that markup reaches, from 0, and where it is there for the last time. It has a `change`."""
    at = low = place = 0
    for tag in _TAG.finditer(markup):
        if not tag.group(2):
            at += -1 if tag.group(1) else 1
        if at <= low:
            low, place = at, tag.end()
    return low, place


class Judge:
    """Judges each piece of markup once."""

    def __init__(self, head: bytes, styles: Styles) -> None:
        """`head`: the start tag of the document."""
        self._head = head + b"<w:body>"
        self._styles = styles
        self.judged = 0
        """How many pieces were."""
        usual = styles.paragraph("")
        self._tables = usual.number in ("", "0") and not usual.hides
        root = self._tree(b"")
        self._revised = _IDENTIFIED if root is not None and "w14" in root.nsmap else _REVISED
        self.known: dict[str, dict[bytes, Step]] = {TOP: {}, PARAGRAPH: {}, TABLE: {}}
        self._looks: dict[bytes, bytes] = {}
        self._endings: dict[tuple[str, bytes], Step | None] = {}

    def unmarked(self, data: bytes) -> bytes:
        """A part without the numbers of its paragraphs, if it has any: with them no markup comes twice."""
        if self._revised is not _IDENTIFIED or b" w14:paraId=" not in data or b"<![CDATA[" in data:
            return data
        return self._revised.sub(b"", data)

    def step(self, state: str, markup: bytes) -> Step:
        """What `markup` does in a `state`. It ends within the tag behind which its text stands."""
        known = self.known[state]
        found = known.get(markup)
        if found is None:
            if len(markup) > _LONGEST or _HOPELESS.search(markup):
                return REFUSED
            bare = self._without(markup)
            found = known.get(bare)
            if found is None:
                known[bare] = found = self._judged(state, bare)
            known[markup] = found
        return found

    def ending(self, state: str, markup: bytes) -> Step | None:
        """What `markup` does that should end the block that is open; None if it does not, or does anything else."""
        if len(markup) > _LONGEST:
            return None
        key = (state, self._without(markup))
        if key not in self._endings:
            root = self._tree(_BEFORE[state] + key[1]) if change(key[1]) is not None else None
            self._endings[key] = self._read(root, state, TOP) if root is not None and len(root[0]) == 1 else None
        return self._endings[key]

    def _without(self, markup: bytes) -> bytes:
        """Markup without what is different each time and says nothing; what is not known to say nothing stays."""
        if b"<!" in markup or b"<?" in markup:
            return markup
        if b"w:rsid" in markup or b"w14:" in markup:
            markup = self._revised.sub(b"", markup)
        if b"<w:rPr>" in markup:
            markup = _LOOK.sub(self._look, markup)
        return _ASIDE.sub(b"", markup)

    def _look(self, match: re.Match[bytes]) -> bytes:
        """What is left of a run's properties: nothing if all they say is whether it is bold, and it is not."""
        look = match.group()
        if look not in self._looks:
            root = self._tree(b"%b</w:r><w:r>%b<w:t%b" % (_BEFORE[PARAGRAPH], look, _BEHIND[PARAGRAPH]))
            plain = root is not None and self._read(root, PARAGRAPH, PARAGRAPH) is JOINED
            bold = root is not None and is_bold(_last(root).getparent())
            self._looks[look] = look if not plain else _BOLD if bold else b""
        return self._looks[look]

    def _judged(self, state: str, markup: bytes) -> Step:
        if change(markup + b">") is None:
            return REFUSED
        last = markup.rfind(b"</w:tbl>")
        end = TABLE if markup.rfind(b"<w:tbl>") > last else PARAGRAPH if last >= 0 or not state else state
        root = self._tree(_BEFORE[state] + markup + _BEHIND[end])
        return (self._read(root, state, end) if root is not None else None) or REFUSED

    def _tree(self, body: bytes) -> Any | None:
        self.judged += 1
        if b"xmlns" in body:
            return None
        try:
            root = parsed(b"%b%b</w:body></w:document>" % (self._head, body), "DOCX")
        except StageFailed:
            return None
        return root if len(root) == 1 else None

    def _read(self, root: Any, state: str, end: str) -> Step | None:
        scan = Scan(root, self._styles)
        texts = root.iter(scan.run_text)
        if scan.rich or next(root.iter(*_KEPT), None) is not None or any(node.text for node in texts):
            return None
        blocks = self._blocks(root[0], scan)
        amount = sum(1 for _ in root.iter(scan.paragraph))
        if not blocks or amount != sum(map(_texts, blocks)) or (end and not _open(root, scan)):
            return None
        first = blocks.pop(0) if state else None
        if isinstance(first, Stated):
            return None  # a paragraph that goes on states no more
        run = _last(root).getparent() if end else None
        before = next(root.iter("{*}r")) if state == TABLE else None
        if before is not None and next(before.iterchildren("{*}rPr"), None) is not None:
            return None  # bold behind its text: the run before may not have been what it was taken for
        bold = None if run is before else end != TOP and is_bold(run)
        if end and amount == 1 and state:
            return _JOINED_IN_TABLE[bold] if state == TABLE else JOINED
        filled = _texts(blocks[-1]) - 1 if end and blocks else 0
        return Step(
            ends=BETWEEN * (amount - filled - 1 if end else amount),
            grown=(first[0] - 1, *first[1:]) if isinstance(first, Rows) else (),
            blocks=tuple(blocks),
            filled=BETWEEN * filled,
            state=end,
            bold=bold,
            special=end != state or (state == TABLE and bool(blocks)),
        )

    def _blocks(self, body: Any, scan: Scan) -> list[Block]:
        """Empty if any is not plain."""
        found: list[Block] = []
        for node in body:
            if node.tag == scan.paragraph:
                stated = scan.properties.get(node)
                if self._styles.paragraph(stated.style if stated else "").hides:
                    return []
                found.append(stated)
            elif node.tag == scan.table:
                rows = plain_rows(node, scan) if self._tables else None
                if rows is None:
                    return []
                found.append(Rows(rows))
            elif local(node) not in _IGNORED:
                return []
        return found


def _texts(block: Block) -> int:
    """How many texts a block has."""
    return sum(block) if isinstance(block, Rows) else 1


def _last(node: Any) -> Any:
    while len(node):
        node = node[-1]
    return node


def _open(root: Any, scan: Scan) -> bool:
    """Whether a tree's last node is a text that its paragraph has in a run."""
    text = _last(root)
    run = text.getparent()
    return bool(text.tag == scan.run_text and local(run) == "r" and run.getparent().tag == scan.paragraph)
