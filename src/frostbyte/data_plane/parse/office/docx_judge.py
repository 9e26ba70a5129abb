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
from frostbyte.data_plane.parse.office.docx_tables import plain_rows
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
_REVISION: Final = r' (w:rsid[A-Za-z]{1,9}%s)="[0-9A-F]{8}"(?![^<>]* \2=)'
_REVISED, _IDENTIFIED = (
    re.compile(f"<w:(p|r|tr)(?:{_REVISION % more})+>".encode()) for more in ("", "|w14:(?:para|text)Id")
)
"""Tags that say in which session something was written, or which paragraph it is, and nothing else. An attribute that
stands twice makes XML broken, and has to stay, as has one whose namespace is not declared."""
_IGNORED: Final = frozenset({"bookmarkStart", "bookmarkEnd", "proofErr"})
_KEPT: Final = ("{*}sectPr", "{*}footnotePr", "{*}endnotePr")
"""What is looked for in the whole tree."""

Block = Stated | list[int] | None
"""A paragraph by what it states, if anything, or a table by the number of cells in each row."""


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
    bold: bool = False
    special: bool = False
    """Whether there is more to it than one more paragraph, or more cells."""


JOINED: Final = Step()
"""The text goes on."""
REFUSED: Final = Step(special=True)
"""Not plain."""


class Level(NamedTuple):
    """How markup moves between the levels of a tree."""

    change: int
    lowest: int
    place: int
    """Where markup is on the lowest level for the last time."""


def level(markup: bytes) -> Level | None:
    """None for markup in which not each `<` and `>` is that of a tag."""
    if b"<!" in markup or b"<?" in markup:
        return None
    at = lowest = place = amount = 0
    for tag in _TAG.finditer(markup):
        amount += 1
        if not tag.group(2):
            at += -1 if tag.group(1) else 1
        if at <= lowest:
            lowest, place = at, tag.end()
    return Level(at, lowest, place) if amount == markup.count(b"<") == markup.count(b">") else None


class Judge:
    """Judges each piece of markup once."""

    def __init__(self, head: bytes, styles: Styles, most: int) -> None:
        """
        Args:
            head: the start tag of the document.
            styles: its styles.
            most: pieces that are judged before it is `tired`.
        """
        self._head = head + b"<w:body>"
        self._styles = styles
        self._left = most
        usual = styles.paragraph("")
        self._tables = usual.number in ("", "0") and not usual.hides
        root = self._tree(b"")
        self._bare = _IDENTIFIED if root is not None and "w14" in root.nsmap else _REVISED
        self.known: dict[str, dict[bytes, Step]] = {TOP: {}, PARAGRAPH: {}, TABLE: {}}
        self._endings: dict[tuple[str, bytes], Step | None] = {}

    @property
    def tired(self) -> bool:
        """Whether too many pieces were new for this to be worth its while."""
        return self._left < 0

    def step(self, state: str, markup: bytes) -> Step:
        """What `markup` does in a `state`. It ends within the tag behind which its text stands."""
        known = self.known[state]
        found = known.get(markup)
        if found is None:
            bare = self._bare.sub(rb"<w:\1>", markup)
            found = known.get(bare)
            if found is None:
                known[bare] = found = self._judged(state, bare)
            known[markup] = found
        return found

    def ending(self, state: str, markup: bytes) -> Step | None:
        """What `markup` does that should end the block that is open; None if it does not, or does anything else."""
        key = (state, self._bare.sub(rb"<w:\1>", markup))
        if key not in self._endings:
            root = self._tree(_BEFORE[state] + key[1])
            self._endings[key] = self._read(root, state, TOP) if root is not None and len(root[0]) == 1 else None
        return self._endings[key]

    def _judged(self, state: str, markup: bytes) -> Step:
        if level(markup + b">") is None:
            return REFUSED
        last = markup.rfind(b"</w:tbl>")
        end = TABLE if markup.rfind(b"<w:tbl>") > last else PARAGRAPH if last >= 0 or not state else state
        root = self._tree(_BEFORE[state] + markup + _BEHIND[end])
        return (self._read(root, state, end) if root is not None else None) or REFUSED

    def _tree(self, body: bytes) -> Any | None:
        self._left -= 1
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
        bold = next(root.iter("{*}b"), None) is not None
        first = blocks.pop(0) if state else None
        if isinstance(first, Stated) or (bold and any(isinstance(block, list) for block in blocks)):
            return None  # a paragraph that goes on states no more, and bold may head columns
        if end and amount == 1 and state:
            return JOINED._replace(state=state, bold=True, special=True) if bold and state == TABLE else JOINED
        filled = _texts(blocks[-1]) - 1 if end and blocks else 0
        return Step(
            ends=BETWEEN * (amount - filled - 1 if end else amount),
            grown=(first[0] - 1, *first[1:]) if isinstance(first, list) else (),
            blocks=tuple(blocks),
            filled=BETWEEN * filled,
            state=end,
            bold=bold,
            special=end != state or (bold and state == TABLE) or (state == TABLE and bool(blocks)),
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
                found.append(rows)
            elif local(node) not in _IGNORED:
                return []
        return found


def _texts(block: Block) -> int:
    """How many texts a block has."""
    return sum(block) if isinstance(block, list) else 1


def _open(root: Any, scan: Scan) -> bool:
    """Whether a tree's last node is a text that its paragraph has in a run."""
    text = root
    while len(text):
        text = text[-1]
    run = text.getparent()
    return bool(text.tag == scan.run_text and local(run) == "r" and run.getparent().tag == scan.paragraph)
