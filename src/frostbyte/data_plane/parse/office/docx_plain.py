"""Plain paragraphs and tables of a DOCX, taken from the part's bytes and never made a tree of.

Between two texts stands markup, and it is nearly always the same: a run ends and the next begins with the same
properties, a paragraph ends, a cell ends. What each does is judged once (`docx_judge`). What is not plain stays in
the part and is parsed with it, as all of it is where anything casts doubt on the whole. A well-formed element that is
taken out of XML leaves well-formed XML behind only if there was some.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.archive import check_xml, local, parsed
from frostbyte.data_plane.parse.office.docx_judge import (
    BETWEEN,
    JOINED,
    PARAGRAPH,
    REFUSED,
    TABLE,
    TOP,
    Block,
    Judge,
    Rows,
    Step,
    change,
    lowest,
    may_leave,
)
from frostbyte.data_plane.parse.office.docx_signs import BYTES, SIGN
from frostbyte.data_plane.parse.office.styles import Styles
from frostbyte.kernel.errors import StageFailed

_HEAD: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:<\?xml\ version=["']1\.0["'](?:\ encoding=["'](?:UTF|utf)-8["'])?
    (?:\ standalone=["'](?:yes|no)["'])?\ ?\?>)?\s*(<w:document\ [^<>]*>)(<w:background\ [^<>]*/>)?<w:body>""",
    re.VERBOSE,
)
"""How a part in UTF-8 begins whose `w` names the elements of a document."""
_TEXT_ENDS: Final = b"</w:t>"
_GONE_ENDS: Final = b"</w:delText>"
_REFERENCE: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")
_ODD: Final = re.compile(rb"\xc2\xad|\xee|\xef[\x80-\xa3]|\r|" + _REFERENCE.pattern)
"""Of a text: soft hyphens and private characters, which are not read as they are, line ends that XML turns into
others, and all but the five names of characters that XML knows."""
_ODD_SIGNS: Final = ((b"\xad", b"\xc2\xad"), (b"\xee",) * 2, (b"\xef",) * 2, (b"\r",) * 2)
"""A byte, which is found at once, and what may hold it."""
_CONTROLS: Final = bytes({*range(0x20)} - {BETWEEN[0], 0x09, 0x0A} - {sign[0] for sign in BYTES})
_NEVER: Final = ((b"<",) * 2, (b"\xef", b"\xef\xbf\xbe"), (b"\xef", b"\xef\xbf\xbf"))
"""Never in the text of XML, as `_CONTROLS` are not."""
_DROPPED: Final = re.compile("[\x7f-\x9f]")
"""Of a text: characters that are dropped, those that follow each other as one. The careful way keeps the texts of a
paragraph apart that is more than text."""
_LONGEST: Final = 9_000_000
"""Bytes of a text and the markup before it; lxml takes no more than ten million in one node."""
_SMALL: Final = 250_000
"""Bytes of a part that is parsed sooner than its markup is judged."""
_FEW: Final = 10
_JUDGED: Final = 20_000
_TAKEN: Final = 20
"""No more pieces are judged than `_FEW`, one for each `_JUDGED` bytes of the part and one for `_TAKEN` texts that were
found, because to judge one takes ten times as long as to parse it."""
_PATIENCE: Final = 200
"""How many more pieces may be passed over than are taken: to look for the beginning of what is plain takes time too."""
_STRETCH: Final = "{urn:frostbyte:docx}stretch"
_MARK: Final = b'<stretch xmlns="urn:frostbyte:docx"/>'
_DEPTH: Final = {PARAGRAPH: 2, TABLE: 5}
"""Elements of the body that are open behind a text."""
_CLOSED: Final = {PARAGRAPH: b"</w:p>", TABLE: b"</w:tbl>"}


@dataclass(slots=True)
class Stretch:
    """Plain blocks that follow each other."""

    head: bytes
    part: bytes
    place: slice
    """The start tag of the document, its part, and where they stand in it."""
    blocks: list[Block]
    texts: list[str]
    """Of each paragraph and each cell."""
    signed: bool = False
    """Whether there are signs in them (`docx_signs`)."""
    careful: bool = False
    """Whether they are to be read from the source."""

    def source(self) -> bytes:
        """Their XML as a part of its own, for where plain blocks are not read as they stand."""
        return b"%b<w:body>%b</w:body></w:document>" % (self.head, self.part[self.place])


class Part(NamedTuple):
    """The main part of a document."""

    root: Any
    plain: dict[Any, Stretch]
    """By the nodes that stand in the tree for them."""


def read_part(data: bytes, styles: Styles) -> Part:
    """Parse a main part; what is plain in it is not in the tree.

    Raises:
        StageFailed: `damaged`, `unsafe_xml`.
    """
    check_xml(data)
    head = _HEAD.match(data)
    taken = _taken(data, head, styles) if head is not None and len(data) > _SMALL else None
    return taken or Part(parsed(data, "DOCX"), {})


def _taken(data: bytes, head: re.Match[bytes], styles: Styles) -> Part | None:
    """The part without what is plain in it; None where nothing is, or where anything casts doubt on that."""
    finder = _Finder(data, head, styles, odd=False)
    finder.run()
    joined = b"".join(finder.parts)
    if _may_be_odd(joined):
        finder = _Finder(data, head, styles, odd=True)  # most documents hold none, and to look in each text takes time
        finder.run()
        joined = b"".join(finder.parts)
    if finder.doubted or not finder.found or any(byte in joined and sign in joined for byte, sign in _NEVER):
        return None
    if len(joined.translate(None, _CONTROLS)) < len(joined):
        return None
    if any(sign in (finder.data if finder.signed else joined) for sign in BYTES):
        return None
    try:
        texts = joined.decode().split(BETWEEN.decode())
        at, left = 0, list[bytes]()
        for start, end, _ in finder.found:
            left += [finder.data[at:start], _MARK]
            at = end
        root = parsed(b"".join([*left, finder.data[at:]]), "DOCX")
    except (UnicodeDecodeError, StageFailed):
        return None
    nodes, rest = list(root.iter(_STRETCH)), iter(texts)
    # The document might hold the like itself, or a character that makes two texts of one.
    if len(nodes) != len(finder.found) or len(texts) != 1 + sum(_amount(blocks) for _, _, blocks in finder.found):
        return None
    if finder.signed and any(local(node) == "background" for node in root):
        return None
    if b"&" in joined:
        texts = list(map(_unescaped, texts))
        rest = iter(texts)
    plain = {}
    for node, (start, end, blocks) in zip(nodes, finder.found, strict=True):
        own = list(islice(rest, _amount(blocks)))
        plain[node] = stretch = Stretch(head.group(1), finder.data, slice(start, end), blocks, own)
        if finder.signed:
            whole = "".join(stretch.texts)
            stretch.signed, stretch.careful = SIGN.search(whole) is not None, _DROPPED.search(whole) is not None
    return Part(root, plain)


def _may_be_odd(texts: bytes) -> bool:
    if b"&" in texts and _REFERENCE.search(texts):
        return True
    return any(byte in texts and sign in texts for byte, sign in _ODD_SIGNS)


def _amount(blocks: list[Block]) -> int:
    """How many texts blocks have."""
    return sum([sum(block) if isinstance(block, Rows) else 1 for block in blocks])


def _unescaped(text: str) -> str:
    if "&" in text:
        for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
            text = text.replace(name, sign)
    return text


class _Heads:
    """Watches the first two rows of a table that begins in bold: where the first alone is bold throughout, it heads the
    columns."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._bold: list[bool | None] = [None]
        """Of each cell whether all its texts are; None: it has none."""
        self._last = False
        self._seen = 0
        """Cells at the beginning of the first row that are bold and can no more change."""

    def cells(self) -> None:
        """The table may have grown."""
        self._bold += [None] * (sum(self._rows) - len(self._bold))

    def text(self, bold: bool | None) -> None:
        """The last cell has a text more."""
        self._last = bold if bold is not None else self._last
        self._bold[-1] = self._last and self._bold[-1] is not False

    def known(self, *, ended: bool = False) -> bool:
        """Whether nothing more can change; then the table says what it is."""
        rows, first = self._rows, self._rows[0]
        whole = first if ended or len(rows) > 1 else first - 1
        while self._seen < whole and self._bold[self._seen]:
            self._seen += 1
        if self._seen < whole or (len(rows) == 1 and ended) or (len(rows) > 1 and first == 1):
            return True
        if len(rows) > 2 or (ended and len(rows) == 2):
            rows.headed = not all(self._bold[first : first + rows[1]])
            return True
        return False


class _Finder:
    """Finds the stretches of one part."""

    def __init__(self, data: bytes, head: re.Match[bytes], styles: Styles, *, odd: bool) -> None:
        """`odd`: whether texts are looked at, as they must be where any might be odd."""
        self.found: list[tuple[int, int, list[Block]]] = []
        """Where each begins and ends, and its blocks."""
        self.parts: list[bytes] = []
        """Their texts, each with `BETWEEN` behind it."""
        self.doubted = False
        """Whether a text ends as another would."""
        self._judge = Judge(head.group(1), styles, papered=head.group(2) is None)
        self.data = data = self._judge.unmarked(data)
        self._pieces = data.split(_TEXT_ENDS)
        self._pieces[0] = self._pieces[0][head.end() :]
        self._last = self._pieces.pop() if len(self._pieces) > 1 else b""
        self._most = _FEW + len(data) // _JUDGED
        self._odd = odd
        self._index, self._at = 0, head.end()
        """A piece, and where it begins in the part."""
        self._passed = 0
        """How many pieces were in no stretch."""
        self._state = TOP
        """`TOP`: in no stretch."""
        self._depth = 0
        self._known: dict[bytes, Step] = {}
        self._blocks: list[Block] = []
        self._start = 0
        """Where the stretch begins."""
        self._opened = self._kept = 0
        """The piece with which the open block begins, and how many parts there were before."""
        self._within = (0, 0)
        """A piece that deleted text divides, and where in it a block begins that does not begin before such text."""
        self._heads: _Heads | None = None

    @property
    def signed(self) -> bool:
        """Whether more than texts one after another was found."""
        return self._judge.signed

    def run(self) -> None:
        """Look through the whole part."""
        if len(self.data) > _LONGEST and max(map(len, self._pieces)) > _LONGEST:
            return
        parts, odd = self.parts, self._odd
        add = parts.append
        for index, piece in enumerate(self._pieces):
            markup, _, text = piece.rpartition(b">")
            step = self._known.get(markup)
            if step is None or odd or step.special:
                if not self._take(index, markup, text):
                    break
            elif step is JOINED:
                add(text)
            else:
                add(step.ends)
                grown = step.grown
                if grown:
                    rows: Any = self._blocks[-1]  # only tables grow
                    rows[-1] += grown[0]
                    if len(grown) > 1:
                        rows += grown[1:]
                else:
                    self._opened, self._kept = index, len(parts)
                    self._blocks += step.blocks
                add(text)
        else:
            self._close(len(self._pieces), self._last)
        if self._state:
            self._discard()

    def _take(self, index: int, markup: bytes, text: bytes) -> bool:
        """Take any piece; False: what follows stays as it is."""
        if b"delText" not in markup:
            return self._take_part(index, 0, markup, text)
        parts, at = self._pieces[index].split(_GONE_ENDS), 0
        for number, part in enumerate(parts, 1):
            markup, _, text = part.rpartition(b">")
            if markup.rpartition(b"<")[2].startswith(b"w:delText") != (number < len(parts)):
                self.doubted = True
                return False
            if not self._take_part(index, at, markup, text):
                return False
            at += len(part) + len(_GONE_ENDS)
        return True

    def _take_part(self, index: int, at: int, markup: bytes, text: bytes) -> bool:
        most = self._most + len(self.parts) // _TAKEN
        if self._judge.judged > most:
            return False
        if self._judge.judged > most // 2:
            self._judge.sparing = True
        odd = self._odd and _ODD.search(text) is not None
        if not self._state:
            return self._seek(index, at, markup, text, odd)
        step = self._judge.step(self._state, markup)
        if step is not REFUSED and not odd:
            self._apply(index, at, step, text)
            return True
        closed = self._close(index, markup, at)  # what is open may end well before what is odd begins
        if not closed:
            self._depth = _DEPTH[self._block] + self._state.count("/")
            self._discard()
        return self._seek(index, at, markup, text, odd, closed)

    def _seek(self, index: int, at: int, markup: bytes, text: bytes, odd: bool, done: int = 0) -> bool:
        """Look in markup, behind what is `done` of it, for the beginning of a plain block; False: look no further."""
        rest = markup[done:]
        moved = change(rest + b">")
        if moved is None or b"<" in text:
            return False
        self._passed += 1
        if self._passed > _PATIENCE + len(self.parts):
            return False
        if may_leave(rest, self._depth):
            low, place = lowest(rest + b">")
            if self._depth + low < 0:
                return False
            tail = rest[place:]
            step = self._judge.step(TOP, tail) if self._depth + low == 0 and not odd else REFUSED
            if step is not REFUSED:
                self._start = self._place(index) + at + len(markup) - len(tail)
                self._apply(index, at, step, text)
                return True
        self._depth += moved - 1  # the text ends with the element that it stands in
        return True

    def _apply(self, index: int, at: int, step: Step, text: bytes) -> None:
        add = self.parts.append
        if step.state:  # else the text goes on
            add(step.ends)
            if step.grown:
                self._grow(step.grown, ended=bool(step.blocks))
            if step.blocks:
                self._opened, self._kept, self._within = index, len(self.parts), (index, at)
                self._blocks += [Rows(block) if isinstance(block, Rows) else block for block in step.blocks]
                add(step.filled)
                last = self._blocks[-1]
                # A first cell that is empty, or begins with text that is not bold, heads nothing.
                heads = isinstance(last, Rows) and BETWEEN not in step.filled and (step.bold or not text)
                self._heads = _Heads(last) if heads and isinstance(last, Rows) else None
            self._state, self._known = step.state, self._judge.known[step.state]
        add(text)
        if self._heads is not None:
            if text:
                self._heads.text(step.bold)
            self._known = {}
            if self._heads.known():
                self._heads, self._known = None, self._judge.known[self._state]

    def _grow(self, cells: tuple[int, ...], *, ended: bool) -> None:
        """Give the open table more cells; `ended`: it gets no more."""
        rows = self._blocks[-1]
        assert isinstance(rows, Rows)  # only tables grow
        rows[-1] += cells[0]
        rows += cells[1:]
        if self._heads is not None:
            self._heads.cells()
            if ended:
                self._heads.known(ended=True)

    def _close(self, index: int, markup: bytes, before: int = 0) -> int:
        """End the open block and the stretch where markup does; 0 if that is not plain, else where in markup."""
        if not self._state:
            return 0
        closed = _CLOSED[self._block]
        at = markup.find(closed) + len(closed)
        step = self._judge.ending(self._state, markup[:at]) if at >= len(closed) else None
        if step is None:
            return 0
        self.parts.append(step.ends)
        if step.grown:
            self._grow(step.grown, ended=True)
        self._depth = 0
        self._leave(self._place(index) + before + at)
        return at

    def _discard(self) -> None:
        """Leave the open block to the tree, and end the stretch before it."""
        del self.parts[self._kept :]
        self._blocks.pop()
        at = self._start
        if self._blocks:
            # All markup of a stretch was judged as a whole, but that at its beginning, where its first block begins.
            within = self._within[1] if self._within[0] == self._opened else 0
            piece = self._pieces[self._opened]
            end = piece.find(_GONE_ENDS, within)
            part = piece[within : end if end >= 0 else len(piece)]
            at = self._place(self._opened) + within + lowest(part.rpartition(b">")[0] + b">")[1]
        self._leave(at)

    def _leave(self, end: int) -> None:
        if self._blocks:
            self.found.append((self._start, end, self._blocks))
        self._blocks, self._state, self._known, self._heads = [], TOP, {}, None

    @property
    def _block(self) -> str:
        return self._state.partition("/")[0]

    def _place(self, index: int) -> int:
        """Where a piece begins in the part."""
        first, last = sorted((index, self._index))
        length = sum(map(len, self._pieces[first:last])) + (last - first) * len(_TEXT_ENDS)
        self._at += length if index >= self._index else -length
        self._index = index
        return self._at
