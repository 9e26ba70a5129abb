"""What only the whole document tells of a page's blocks: what repeats at the edges, notes at the foot, captions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.marks import CAPTION
from frostbyte.data_plane.parse.pdf.grouping import Block
from frostbyte.data_plane.parse.pdf.headings import Body, body_type, find_headings, normal_title
from frostbyte.data_plane.parse.pdf.page import Draft

_EDGE: Final = 0.12
"""Part of the page's height at top and bottom where headers and footers stand."""
_EDGE_LINES: Final = 3
_FEW: Final = 3
"""Pages on which something repeats by intent."""
_DENSE: Final = 0.45
"""Part of the pages between its first and last that something repeating stands on: left and right pages differ."""
_SAME_HEIGHT: Final = 3.0
"""Points."""
_PLACED: Final = 0.6
"""Part of the pages that have a lone line at the same height when its words change (running heads of chapters)."""
_BODY: Final = 0.1
"""Part of those pages on which a paragraph at that height shows that it is none."""
_PAGE_NUMBER: Final = re.compile(
    r"^(?:(?:page|seite|p\.|s\.|blatt)\s*)?[-–—|(\[]?\s*(?:\d{1,4}|[ivxlc]{1,7}|[A-Z]-?\d{1,3})\s*[-–—|)\]]?"
    r"(?:\s*(?:of|von|/|sur)\s*\d{1,4})?$",
    re.IGNORECASE,
)
_CHANGING: Final = re.compile(r"\d+|\b[ivxlc]+\b")
_NOTE: Final = re.compile(r"^\s*(?:\d{1,3}|[*†‡§¶]{1,3})(?:[.)]?\s+|(?=[A-ZÄÖÜ„“\"'(]))\S")
_SMALLER: Final = 0.93
"""Ratio to the body's size below which type may be a footnote's."""


def find_roles(drafts: list[Draft], outline: dict[int, dict[str, int]]) -> None:
    """Give blocks their roles: headers and footers, then titles, captions and footnotes."""
    _find_repeats(drafts)
    body = body_type(drafts)
    for draft in drafts:
        _find_captions(draft, body)
        _find_footnotes(draft, body)
    find_headings(drafts, outline)


def _find_repeats(drafts: list[Draft]) -> None:
    """Give blocks that stand at the same edge of many pages a role; all but the first of equal ones are dropped."""
    seen: defaultdict[tuple[str, str], list[tuple[Draft, int]]] = defaultdict(list)
    alone: defaultdict[tuple[str, int], list[tuple[Draft, int]]] = defaultdict(list)
    running = _running_text(drafts)
    edges = [(draft, list(_at_edges(draft))) for draft in drafts]
    for draft, found in edges:
        for number, block, edge in found:
            places = seen[(edge, _CHANGING.sub("#", normal_title(block.text)))]
            if not places or places[-1][0] is not draft:
                places.append((draft, number))
            if len(block.lines) == 1:
                alone[(edge, _height(block))].append((draft, number))
    for (edge, text), places in seen.items():
        if _repeats(places, len(drafts)) or (text == "#" and len(places) >= _FEW):
            for position, (draft, number) in enumerate(places):
                draft.roles[number] = (Kind(edge), 0)
                if position:
                    draft.repeats[number] = f"repeated_{edge}"
    for (edge, height), places in alone.items():
        pages = len({draft.number for draft, _ in places})
        if pages >= max(_FEW + 1, _PLACED * len(drafts)) and running[height] < _BODY * pages:
            for draft, number in places:
                draft.roles.setdefault(number, (Kind(edge), 0))
    for draft, found in edges:
        for number, block, edge in found:
            if number not in draft.roles and _PAGE_NUMBER.match(block.text.strip()):
                draft.roles[number] = (Kind(edge), 0)


def _running_text(drafts: list[Draft]) -> Counter[int]:
    """On how many pages a paragraph begins or ends at each height: where text runs, a lone line is no header."""
    heights: Counter[int] = Counter()
    for draft in drafts:
        found: set[int] = set()
        for block in draft.blocks:
            if isinstance(block, Block) and len(block.lines) > 1:
                for line in (block.lines[0], block.lines[-1]):
                    middle = round(line[0].baseline / _SAME_HEIGHT)
                    found.update((middle - 1, middle, middle + 1))
        heights.update(found)
    return heights


def _height(block: Block) -> int:
    return round(block.lines[0][0].baseline / _SAME_HEIGHT)


def _at_edges(draft: Draft) -> Iterator[tuple[int, Block, str]]:
    for number, block in enumerate(draft.blocks):
        if isinstance(block, Block) and not block.lines[0][0].hidden and len(block.lines) <= _EDGE_LINES:
            edge = _edge(block, draft)
            if edge:
                yield number, block, edge


def _edge(block: Block, draft: Draft) -> str:
    if block.lines[-1][0].box[3] <= draft.height * _EDGE:
        return "header"
    if block.lines[0][0].box[1] >= draft.height * (1 - _EDGE):
        return "footer"
    return ""


def _repeats(places: list[tuple[Draft, int]], pages: int) -> bool:
    if len(places) < _FEW:
        # On both pages of two, at the same height: a running head, which longer documents would show more often.
        return len(places) == pages > 1 and _level(places)
    if len(places) >= pages // 2:
        return True
    first, last = places[0][0].number, places[-1][0].number
    if len(places) < _DENSE * (last - first + 1) and len(places) < 2 * _FEW:
        return False
    return _level(places)


def _level(places: list[tuple[Draft, int]]) -> bool:
    """Whether all stand at the same height of their pages."""
    return all(abs(a - b) <= _SAME_HEIGHT for a, b in pairwise(_top(draft, number) for draft, number in places))


def _top(draft: Draft, number: int) -> float:
    block = draft.blocks[number]
    return block.lines[0][0].baseline if isinstance(block, Block) else 0.0


def _find_captions(draft: Draft, body: Body) -> None:
    for number, block in enumerate(draft.blocks):
        if not isinstance(block, Block) or number in draft.roles or len(block.lines) > 8:
            continue
        found = CAPTION.match(block.lines[0][0].text)
        if found is None:
            continue
        # `Table 3 lists the ...` begins a sentence; a caption has a stop after its number, or a type of its own.
        if found.group("stop") or block.size <= body.size * _SMALLER or block.lines[0][0].bold != body.bold:
            draft.roles[number] = (Kind.CAPTION, 0)


def _find_footnotes(draft: Draft, body: Body) -> None:
    """Blocks in small type at the foot of a column, from the first that begins with a sign, to its end."""
    inside = False
    for number, block in enumerate(draft.blocks):
        if not isinstance(block, Block) or number in draft.roles or block.lines[0][0].hidden:
            inside = inside and number in draft.roles
            continue
        small = block.size <= body.size * _SMALLER and block.lines[0][0].box[1] > 0.4 * draft.height
        if small and (inside or _NOTE.match(block.lines[0][0].text)):
            below = _next_text(draft, number, block)
            inside = below is None or below.size <= body.size * _SMALLER
            if inside:
                draft.roles[number] = (Kind.FOOTNOTE, 0)
        else:
            inside = False


def _next_text(draft: Draft, number: int, block: Block) -> Block | None:
    """The block that follows in the same column, without headers and footers."""
    bottom = block.lines[-1][0].box[3]
    for other in range(number + 1, len(draft.blocks)):
        after = draft.blocks[other]
        if isinstance(after, Block) and other not in draft.roles:
            return after if after.lines[0][0].box[1] >= bottom - 2 else None
    return None
