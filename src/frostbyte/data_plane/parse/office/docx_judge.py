"""What markup between two texts of a DOCX does, judged by the careful reader itself: it is put into a tiny document,
and what lxml and `Scan` make of that decides.

That a piece of markup means the same wherever it stands is what makes this sure: a paragraph is plain if each node in
it is, and its text is that of its `w:t` one after another. Tabs, links and tracked changes are plain too: what the
reader makes of them is text, or a sign that goes along with it (`docx_signs`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.archive import local, parsed
from frostbyte.data_plane.parse.office.docx_scan import Scan, Stated
from frostbyte.data_plane.parse.office.docx_signs import SIGN, signed
from frostbyte.data_plane.parse.office.docx_tables import is_bold, plain_rows
from frostbyte.data_plane.parse.office.docx_text import Fields, ParagraphReader
from frostbyte.data_plane.parse.office.styles import PAPER, Look, Styles, read_look
from frostbyte.kernel.errors import StageFailed

TOP: Final = ""
PARAGRAPH: Final = "p"
TABLE: Final = "tbl"
BETWEEN: Final = b"\x01"
"""Stands behind each text. XML has no such character."""

_OPEN: Final = {TOP: (), PARAGRAPH: ("p",), TABLE: ("tbl", "tr", "tc", "p")}
"""What is open around the runs of a block."""
_THROUGH: Final = frozenset("hyperlink smartTag fldSimple sdt sdtContent customXml ins del moveFrom moveTo".split())
"""What may stand around a run besides. A state names it behind its block: `p/hyperlink`."""
_DEEPEST: Final = 4
_TAG: Final = re.compile(rb"<(/?)([^<>/\s]*+)[^<>]*?(/?)>")
_STANDS_FOR: Final = "\u4e00"
"""Put into each text of a tiny document, for the reader to show what it makes of it."""
_MADE: Final = frozenset("\t\n\u2011" + _STANDS_FOR)
"""Characters that the reader makes of markup."""


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
    rb'(?:proofErr w:type="[A-Za-z]+"|bookmarkStart w:id="[0-9]+" w:name="[\w.:$-]*"|bookmarkEnd w:id="[0-9]+") ?/>'
)
_ASIDE: Final = re.compile(rb"<w:(?:(?<=</w:r><w:)%b(?:<w:%b)*|(?<!/><w:)%b(?:<w:%b)*(?=<w:r[ >]))" % ((_SILENT,) * 4))
"""What Word notes beside runs, each time with another number. Not from the middle of such notes on: that takes their
number's square in time."""
_HOPELESS: Final = re.compile(
    rb"<(?:w:(?:fldChar|instrText|drawing|pict|object|sym|footnoteReference|endnoteReference|commentR\w+|gridSpan|vMerge|"
    rb"tblHeader|sectPr)[ />]|!|\?)"
)
"""What is never plain, or not plain where it is not closed before the next text: this saves asking, and no more."""
_SIGNED: Final = re.compile(
    rb"<w:(?:ins|del|delText|moveFrom|moveTo|hyperlink|fldSimple|smartTag|sdt|tab|ptab|br|cr|noBreakHyphen)[ />]"
)
"""What makes a paragraph more than its texts one after another."""
_NAME: Final = rb"(?:[ !#-%'-;=?-~]|[\xc3-\xc5][\x80-\xbf])*"
"""Of a person, in letters that are sure to be sound."""
_CHANGE: Final = rb' w:id="(?:%b)[0-9]+" w:author="%b" w:date="[0-9T:.Z+-]*"' % (
    b"|".join(
        rb'(?<=<w:%b w:id=")' % name for name in (b"ins", b"del", b"moveFrom", b"moveTo", b"rPrChange", b"pPrChange")
    ),
    _NAME,
)
_UTC: Final = rb'(?: w16du:dateUtc="[0-9T:.Z+-]*")?'
_LINK: Final = b"<w:hyperlink"
_RELATED: Final = rb'(?: r:id="\w+")?'
_LEADS: Final = rb'(?: w:anchor="[\w.:$-]*")?(?: w:history="[01]")?'
_CHANGED: Final = {known: re.compile(_CHANGE + _UTC * known + rb"(?= ?/?>)") for known in (False, True)}
_LINKED: Final = {known: re.compile(_LINK + _RELATED * known + _LEADS + rb"(?= ?/?>)") for known in (False, True)}
"""Who changed what and when, and where a link leads: none of it is read."""
_LONGEST: Final = 20_000
"""Bytes of markup that is judged."""
_LOOK: Final = re.compile(rb"<w:rPr>[^<]*(?:<(?!/?w:rPr>)[^<]*)*</w:rPr>")
_BOLD: Final = b"<w:rPr><w:b/></w:rPr>"
_IGNORED: Final = frozenset({"bookmarkStart", "bookmarkEnd", "proofErr"})
_KEPT: Final = ("{*}sectPr", "{*}footnotePr", "{*}endnotePr", "{*}tblCaption", "{*}tblDescription")
"""What is looked for in the whole tree, or told of a table."""


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
    """In which block the text stands, and what is open around its run there."""
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
        if not tag.group(3):
            at += -1 if tag.group(1) else 1
        if at <= low:
            low, place = at, tag.end()
    return low, place


class Judge:
    """Judges each piece of markup once."""

    def __init__(self, head: bytes, styles: Styles, *, papered: bool) -> None:
        """`head`: the start tag of the document. `papered`: its pages have the colour of paper."""
        self._head = head + b"<w:body>"
        self._styles = styles
        self.judged = 0
        """How many pieces were."""
        self.sparing = not papered
        """Whether to ask no more of paragraphs that are more than texts one after another."""
        self.signed = False
        """Whether any was found."""
        usual = styles.paragraph("")
        self._tables = usual.number in ("", "0") and not usual.hides
        root = self._tree(b"")
        names = root.nsmap if root is not None else {}
        self._revised = _IDENTIFIED if "w14" in names else _REVISED
        self._papered = papered
        self._changed, self._linked = _CHANGED["w16du" in names], _LINKED["r" in names]
        self.known: defaultdict[str, dict[bytes, Step]] = defaultdict(dict)
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
            if len(markup) > _LONGEST or _HOPELESS.search(markup) or (self.sparing and _SIGNED.search(markup)):
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
            root = self._tree(_before(state) + key[1]) if change(key[1]) is not None else None
            self._endings[key] = self._read(root, state, TOP) if root is not None and len(root[0]) == 1 else None
        return self._endings[key]

    def _without(self, markup: bytes) -> bytes:
        """Markup without what is different each time and says nothing; what is not known to say nothing stays."""
        if b"<!" in markup or b"<?" in markup:
            return markup
        if b"w:rsid" in markup or b"w14:" in markup:
            markup = self._revised.sub(b"", markup)
        if b" w:author=" in markup:
            markup = self._changed.sub(b"", markup)
        if _LINK in markup:
            markup = self._linked.sub(_LINK, markup)
        if b"<w:rPr>" in markup:
            markup = _LOOK.sub(self._look, markup)
        return _ASIDE.sub(b"", markup) if b"proofErr " in markup or b"<w:bookmark" in markup else markup

    def _look(self, match: re.Match[bytes]) -> bytes:
        """What is left of a run's properties: nothing if all they say is whether it is bold, and it is not."""
        look = match.group()
        if look not in self._looks:
            root = self._tree(b"%b</w:r><w:r>%b<w:t></w:t></w:r></w:p>" % (_before(PARAGRAPH), look))
            plain = root is not None and self._read(root, PARAGRAPH, PARAGRAPH) is JOINED
            bold = root is not None and is_bold(_last(root).getparent())
            self._looks[look] = look if not plain else _BOLD if bold else b""
        return self._looks[look]

    def _judged(self, state: str, markup: bytes) -> Step:
        if change(markup + b">") is None:
            return REFUSED
        opened = _opened(state, markup + b">")
        if opened is None:
            return REFUSED
        behind = b"".join(b"</w:%b>" % name.encode() for name in reversed(opened))
        root = self._tree(_before(state) + markup + b">" + behind)
        return (self._read(root, state, _state(opened)) if root is not None else None) or REFUSED

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
        texts = self._written(root, scan, state, end)
        if texts is None or next(root.iter(*_KEPT), None) is not None or (end and not _is_open(root, scan)):
            return None
        scan.rich.clear()  # the reader has said what it makes of them
        blocks = self._blocks(root[0], scan)
        if not blocks or len(texts) != sum(map(_amount, blocks)):
            return None
        first = blocks.pop(0) if state else None
        if isinstance(first, Stated):
            return None  # a paragraph that goes on states no more
        run, table = _last(root).getparent() if end else None, state.startswith(TABLE)
        before = next(root.iter("{*}r")) if table else None
        if before is not None and next(before.iterchildren("{*}rPr"), None) is not None:
            return None  # bold behind its text: the run before may not have been what it was taken for
        bold = None if run is before else end != TOP and is_bold(run)
        if len(texts) == 1 and state == end and not texts[0]:
            return _JOINED_IN_TABLE[bold] if table else JOINED
        if end and not blocks:
            ends, filled = BETWEEN.join(texts), b""
        else:
            last = len(texts) - _amount(blocks[-1]) if end else len(texts)
            ends, filled = b"".join([text + BETWEEN for text in texts[:last]]), BETWEEN.join(texts[last:])
        return Step(
            ends=ends,
            grown=(first[0] - 1, *first[1:]) if isinstance(first, Rows) else (),
            blocks=tuple(blocks),
            filled=filled,
            state=end,
            bold=bold,
            special=end != state or bool(filled) or (bool(blocks) if table else not blocks),
        )

    def _written(self, root: Any, scan: Scan, state: str, end: str) -> list[bytes] | None:
        """What each paragraph of a tiny document has behind the text before it and before the text behind it, where it
        has them: tabs, and what says how the text is to be taken. None if not all is plain."""
        texts = list(root.iter(scan.run_text, f"{scan.run_text[:-1]}delText"))
        if any(node.text for node in texts) or not all(map(self._is_sure, root.iter("{*}r"))):
            return None
        paragraphs = list(root.iter(scan.paragraph))
        if not scan.rich:
            return [b""] * len(paragraphs)
        for node in texts:
            node.text = _STANDS_FOR
        written: list[bytes] = []
        for number, node in enumerate(paragraphs, 1):
            made = self._made(node) if node in scan.rich else ""
            if made is None or (SIGN.search(made) and node.getparent() is not root[0]):
                return None
            if node in scan.rich:
                made = made.partition(_STANDS_FOR)[2] if state and number == 1 else made
                made = made.rpartition(_STANDS_FOR)[0] if end and number == len(paragraphs) else made
            written.append(made.replace(_STANDS_FOR, "").encode())
        self.signed = True
        return written

    def _made(self, paragraph: Any) -> str | None:
        """What the careful reader makes of a paragraph; None if that is more than text, or it leaves a field open."""
        fields = Fields()
        read = ParagraphReader(self._styles, fields).read(paragraph, Look(), PAPER)
        made = signed(read.items)
        plain = self._papered and made is not None and not (read.extras or read.notes or fields.open)
        return made if plain and made is not None and _MADE.issuperset(SIGN.sub("", made)) else None

    def _is_sure(self, run: Any) -> bool:
        """Whether a run is seen in whatever paragraph, of a style that hides nothing, it stands.

        Where paragraphs are plain throughout nobody asks for two colours together, but the careful reader does."""
        look = Look()
        for properties in run.iterchildren("{*}rPr") if self._papered else ():
            own, style = read_look(properties)
            look = own.over(self._styles.look(style).over(look) if style else look)
            together = look.fill in self._styles.colors if look.color is None else look.color in self._styles.fills
            if look.hidden(PAPER) or (together and (look.color is None or look.fill is None)):
                return False
        return True

    def _blocks(self, body: Any, scan: Scan) -> list[Block]:
        """Empty if any is not plain."""
        found: list[Block] = []
        for node in body:
            if node.tag == scan.paragraph:
                stated = scan.properties.get(node)
                if self._styles.paragraph(stated.style if stated else "").hides or (stated and stated.fill is not None):
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


def _amount(block: Block) -> int:
    """How many texts a block has."""
    return sum(block) if isinstance(block, Rows) else 1


def _last(node: Any) -> Any:
    while len(node):
        node = node[-1]
    return node


def _is_open(root: Any, scan: Scan) -> bool:
    """Whether a tree's last node is a text that its paragraph has in a run."""
    text = _last(root)
    run = text.getparent()
    around = run.getparent()
    while around is not None and local(around) in _THROUGH:
        around = around.getparent()
    known = (scan.run_text, f"{scan.run_text[:-1]}delText")
    return bool(text.tag in known and local(run) == "r" and around is not None and around.tag == scan.paragraph)


def _before(state: str) -> bytes:
    """A block in that state, with an empty text."""
    block, *through = state.split("/")
    tags = b"".join([b"<w:%b>" % name.encode() for name in (*_OPEN[block], *through)])
    return tags + b"<w:r><w:t></w:t>" if state else b""


def _opened(state: str, markup: bytes) -> list[str] | None:
    """The elements that are open behind markup, from the body's on; None if not those around a text.

    What lxml makes of it has the last word: here nothing asks which element an end ends."""
    block, *through = state.split("/")
    opened = [*_OPEN[block], *through, "r"] if state else []
    for end, name, empty in _TAG.findall(markup):
        if end:
            if not opened:
                return None
            opened.pop()
        elif not empty:
            opened.append(name.decode("ascii", "replace").removeprefix("w:"))
    for block in (PARAGRAPH, TABLE):
        around = len(_OPEN[block])
        if tuple(opened[:around]) == _OPEN[block] and opened[-2:] in (["r", "t"], ["r", "delText"]):
            through = opened[around:-2]
            gone = [name for name in through if name in ("del", "moveFrom")]
            known = len(through) <= _DEEPEST and _THROUGH.issuperset(through)
            # Else it is deleted though what is around it does not say so, and the next text is not.
            return opened if known and (opened[-1] == "t" or gone[-1:] == ["del"]) else None
    return None


def _state(opened: list[str]) -> str:
    block = opened[0]
    return "/".join((block, *opened[len(_OPEN[block]) : -2]))
