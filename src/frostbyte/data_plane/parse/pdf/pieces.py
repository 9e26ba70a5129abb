"""The pieces of a PDFium line that are drawn apart: where it jumps, and whether they are too small to be read."""

from __future__ import annotations

from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.style import Style

_COLUMN_GAP: Final = 1.6
"""Width in em of a jump inside one PDFium line that separates columns; word spaces of justified text stay below."""
_BACK: Final = 2.0
"""Em that a piece of a line may begin before the one in front of it ends (accents, kerning) without being a jump."""
ACROSS: Final = 60.0
"""Points in both directions from which text at an angle runs across the page; labels of charts are smaller."""
TINY: Final = 1.5
"""Points below which text cannot be read by a person."""


def looks_tiny(pieces: list[Box]) -> bool:
    """Whether pieces of the line may be too small to be read: flat ones that are no dots and dashes, or many."""
    flat = [piece[2] - piece[0] for piece in pieces if piece[3] - piece[1] < TINY]
    return bool(flat) and (len(flat) > 4 or max(flat) > 6 * TINY)


def _crosses(height: float, other: float) -> bool:
    """Whether one of two pieces that overlap is so much taller that it runs across the page, as watermarks do."""
    return max(height, other) > ACROSS and max(height, other) > 4 * min(height, other)


def gaps_of(pieces: list[Box], style: Style, leftward: bool) -> tuple[float, list[int]]:
    """The widest white between neighbouring pieces in the direction of reading, and the pieces that begin a jump."""
    low, high = (0, 2) if style.turn in (0, 180) else (1, 3)
    if style.turn in (180, 270):
        leftward = not leftward
    widest = 0.0
    jumps: list[int] = []
    em = max(style.size, 4.0)
    column, back = _COLUMN_GAP * em, _BACK * em
    if not pieces:
        return widest, jumps
    before = pieces[0]
    for number in range(1, len(pieces)):
        after = pieces[number]
        gap = before[low] - after[high] if leftward else after[low] - before[high]
        if gap > widest:
            widest = gap
        # Among letters that run to the left, numbers and foreign words run the other way.
        if gap > column or (
            after[low] - before[high] > 2 * column
            if leftward
            else after[low] < before[low] - back
            # The next line of a cell, where lines of its neighbours stand half a line off.
            or (
                gap < -em
                and (
                    after[1 - low] >= before[3 - low]
                    or after[3 - low] <= before[1 - low]
                    or _crosses(before[3 - low] - before[1 - low], after[3 - low] - after[1 - low])
                )
            )
        ):
            jumps.append(number)
        before = after
    return widest, jumps
