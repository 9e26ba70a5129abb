"""Which blocks are titles: the document's outline knows best; without one, how they are set tells.

Without an outline a title is short, stands alone, and differs from the body's type: larger, bolder, another face, all
capitals, numbered, with white around it. One sign alone is seldom enough; a style whose blocks mostly are no titles
(bold terms, names of arguments, code) makes none.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.marks import CAPTION, LEADERS
from frostbyte.data_plane.parse.pdf.grouping import Block
from frostbyte.data_plane.parse.pdf.layout import place
from frostbyte.data_plane.parse.pdf.page import Draft

_TITLE_LENGTH: Final = 200
"""Characters; longer blocks in large type are not titles."""
_TITLE_LINES: Final = 3
_WORDS: Final = 14
_LARGER: Final = 1.08
"""Ratio to the body's size from which type is a heading's."""
_MUCH_LARGER: Final = 1.3
_ENOUGH: Final = 2.0
"""Signs, as `_signs` weighs them, that make a title."""
_SAME: Final = 0.04
"""Part by which sizes of one level differ."""

_NUMBER: Final = re.compile(r"^\s*((?:\d{1,2}|[A-Z])(?:\.\d{1,3}){0,5})[.):]?(?:\s|$)")
_SMALL: Final = re.compile("[a-z]")
_CHAPTER: Final = re.compile(
    r"^\s*(?:chapter|appendix|part|section|article|annex|kapitel|anhang|teil|abschnitt|artikel|anlage|§)\s*(?:\d+|[IVXLC]+|[A-Z])\b",
    re.IGNORECASE,
)
_OUTLINE_NUMBER: Final = re.compile(r"^[\d.§)\s]+")

Place = tuple[Draft, int, Block]


@dataclass(slots=True)
class Body:
    """How most of the document is set."""

    size: float
    bold: bool
    font: str


def find_headings(drafts: list[Draft], outline: dict[int, dict[str, int]]) -> None:
    """Give the blocks that are titles their role: by the outline where it has entries that stand on their pages."""
    body = body_type(drafts)
    rest: list[Place] = []
    outlined = 0.0
    known: list[tuple[Draft, int]] = []
    for draft in drafts:
        # Outline entries are often set just before the page turns: the page after it counts too.
        titles = outline.get(draft.number - 1, {}) | outline.get(draft.number, {}) if outline else {}
        bare: dict[str, int] = {}
        for title, depth in titles.items():
            bare.setdefault(_OUTLINE_NUMBER.sub("", title), depth)
        for number, block in _blocks(draft):
            if titles and (level := _outlined(block.text, titles, bare)):
                draft.roles[number] = (Kind.HEADING, level)
                outlined = max(outlined, block.size)
                known.append((draft, number))
            elif len(block.lines) <= _TITLE_LINES:
                rest.append((draft, number, block))
    if outlined:
        # The outline knows the headings; only a title above them all is missing from it.
        above = [
            (draft, number)
            for draft, number, block in rest
            if block.size > max(outlined, body.size) * 1.12 and _may_be_title(block)
        ]
        for draft, number in known if above else ():
            draft.roles[number] = (Kind.HEADING, min(6, draft.roles[number][1] + 1))
        for draft, number in above:
            draft.roles[number] = (Kind.HEADING, 1)
        return
    _by_type(rest, body)


def body_type(drafts: list[Draft]) -> Body:
    """The type most characters have."""
    exact: dict[tuple[float, bool, str], int] = {}
    for draft in drafts:
        for _, block in _blocks(draft):
            for run in block.runs:
                style = (run.size, run.bold, run.font)
                exact[style] = exact.get(style, 0) + len(run.text)
    weights: Counter[tuple[float, bool, str]] = Counter()
    for (size, bold, font), weight in exact.items():
        weights[(round(size * 2) / 2, bold, font)] += weight
    if not weights:
        return Body(10.0, False, "")
    sizes: Counter[float] = Counter()
    for (size, _, _), weight in weights.items():
        sizes[size] += weight
    most = sizes.most_common(1)[0][0]
    (size, bold, font), _ = max(
        ((key, weight) for key, weight in weights.items() if key[0] == most), key=lambda entry: entry[1]
    )
    return Body(size, bold, font)


def _blocks(draft: Draft) -> Iterator[tuple[int, Block]]:
    """The blocks that are seen and have no role yet."""
    for number, block in enumerate(draft.blocks):
        if isinstance(block, Block) and number not in draft.roles and not block.lines[0][0].hidden:
            yield number, block


def _outlined(text: str, titles: dict[str, int], bare: dict[str, int]) -> int:
    """The level of a title of the outline, with its number or (`bare`) without; 0 for what is none."""
    normal = normal_title(text)
    if normal in titles:
        return titles[normal]
    without = _OUTLINE_NUMBER.sub("", normal)
    return bare.get(without, 0) if without else 0


def normal_title(text: str) -> str:
    """A title for comparing: without line breaks and capitals."""
    return " ".join(text.split()).casefold()


Style = tuple[float, bool, str, bool]
"""Size in half points, bold, face, all capitals."""


def _by_type(rest: list[Place], body: Body) -> None:
    groups: defaultdict[Style, list[Place]] = defaultdict(list)
    refused: Counter[Style] = Counter()
    for entry in rest:
        block = entry[2]
        style = _style(block)
        if not _differs(style, body) and not _numbered(block.text):
            continue
        if _may_be_title(block):
            groups[style].append(entry)
        else:
            refused[style] += 1
    found: list[Place] = []
    for style, entries in groups.items():
        # A style of which many blocks cannot be titles is one of terms, labels or code.
        doubt = min(1.5, 1.5 * refused[style] / len(entries))
        for entry in entries:
            draft, number, block = entry
            if _signs(style, block, body) + _white(draft, number, block) - doubt >= _ENOUGH:
                found.append(entry)
    _give_levels(found)


def _style(block: Block) -> Style:
    first = block.lines[0][-1]
    text, capitals = block.text, False
    if _SMALL.search(text) is None:  # most blocks are told by their first word
        letters = [character for character in text if character.isalpha()]
        capitals = len(letters) >= 4 and all(character.isupper() for character in letters)
    return (round(block.size * 2) / 2, block.bold, first.font, capitals)


def _differs(style: Style, body: Body) -> bool:
    size, bold, font, capitals = style
    return size >= body.size * _LARGER or (
        size >= body.size * 0.95 and ((bold and not body.bold) or capitals or font != body.font)
    )


def _may_be_title(block: Block) -> bool:
    """Whether nothing about the block's shape says that it is no title."""
    text = block.text
    if len(text) > _TITLE_LENGTH or len(block.lines) > _TITLE_LINES or any(len(line) > 2 for line in block.lines):
        return False
    bare = text.strip()
    numbered = _NUMBER.match(bare) or _CHAPTER.match(bare)
    if len(block.lines[0]) == 2 and not _NUMBER.match(block.lines[0][0].text) and not _CHAPTER.match(bare):
        return False
    if len(block.lines[-1]) == 2 and block.lines[-1][1].text.strip().isdigit():
        return False  # a line of a table of contents
    letters = sum(1 for character in bare if character.isalpha())
    if letters < 2 and not _CHAPTER.match(bare):
        return False
    if letters < 0.5 * sum(1 for character in bare if not character.isspace()):
        return False
    if bare[-1] in ",;" or (bare[-1] == "." and not numbered) or LEADERS.search(bare) or CAPTION.match(bare):
        return False
    return not block.mark or numbered is not None


def _signs(style: Style, block: Block, body: Body) -> float:
    """How much speaks for a title, from the type and the words."""
    size, bold, font, capitals = style
    text = block.text
    signs = 0.0
    ratio = size / body.size
    if ratio >= _MUCH_LARGER:
        signs += 2.5
    elif ratio >= _LARGER:
        signs += 1.5
    if bold and not body.bold:
        signs += 1.25
    if font != body.font:
        signs += 0.25
    if capitals:
        signs += 0.5
    if _CHAPTER.match(text):
        signs += 1.5
    elif _numbered(text):
        signs += 1.25 + 0.25 * min(3, _depth(text))
    elif text.lstrip()[:1].islower():
        signs -= 1.0
    words = len(text.split())
    if words > _WORDS:
        signs -= 1.0
    if text.rstrip()[-1] in ":":
        signs -= 1.0
    return signs


def _numbered(text: str) -> bool:
    """Whether a number and then a word that is no small one begin it, and no sentence ends it."""
    number = _NUMBER.match(text)
    if number is None:
        return False
    rest = text[number.end() :].lstrip()
    return rest[:1].isalpha() and not rest[0].islower() and rest.rstrip()[-1] not in ".;"


def _white(draft: Draft, number: int, block: Block) -> float:
    """What the white around the block says: titles keep off what stands before them, and something follows."""
    signs = 0.0
    box = place(block.lines[0][0])
    last = place(block.lines[-1][0])
    before = draft.blocks[number - 1] if number else None
    if isinstance(before, Block):
        above = place(before.lines[-1][0])
        if same_line(above, box):
            signs -= 1.5
        elif 0 <= box[1] - above[3] < 0.25 * block.size:
            signs -= 0.5
        elif box[1] - above[3] >= 0.7 * block.size or box[1] < above[1]:
            signs += 0.5
    else:
        signs += 0.5
    after = draft.blocks[number + 1] if number + 1 < len(draft.blocks) else None
    if isinstance(after, Block):
        below = place(after.lines[0][0])
        if same_line(below, last):
            signs -= 1.5
    return signs


def same_line(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """Whether two boxes stand side by side."""
    return min(a[3], b[3]) - max(a[1], b[1]) > 0.5 * min(a[3] - a[1], b[3] - b[1])


def _give_levels(found: list[Place]) -> None:
    """Levels by size; among titles of one size by the depth of their numbers."""
    sizes: list[float] = []
    for size in sorted({round(block.size * 2) / 2 for _, _, block in found}, reverse=True):
        if not sizes or size < sizes[-1] * (1 - _SAME):
            sizes.append(size)
    keys = {id(block): (_rank(sizes, block.size), _depth(block.text)) for _, _, block in found}
    ranks = {key: level for level, key in enumerate(sorted(set(keys.values())), 1)}
    for draft, number, block in found:
        draft.roles[number] = (Kind.HEADING, min(6, ranks[keys[id(block)]]))


def _rank(sizes: list[float], size: float) -> int:
    half = round(size * 2) / 2
    return next(rank for rank, largest in reversed(list(enumerate(sizes))) if half <= largest)


def _depth(text: str) -> int:
    number = _NUMBER.match(text)
    return number.group(1).count(".") if number else 0
