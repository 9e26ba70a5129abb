"""Pictures that a page draws itself, as the path of an <svg>: nothing is loaded for them, and nothing kept."""

from __future__ import annotations

import itertools
from typing import Final

import segno

_QUIET: Final = 4
"""Modules of empty border that readers need (ISO/IEC 18004)."""


def qr_path(text: str) -> tuple[str, int]:
    """(path, side) of a QR code: a unit for each module, the border included."""
    code = segno.make(text, error="m", micro=False)
    parts = []
    for y, row in enumerate(code.matrix, _QUIET):
        x = _QUIET
        for dark, run in itertools.groupby(row):
            width = len(list(run))
            if dark:
                parts.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return "".join(parts), len(code.matrix) + 2 * _QUIET
