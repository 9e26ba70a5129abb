"""Text whose blanks mean something: programs and drawings, which Markdown keeps as they are between fences."""

from __future__ import annotations

import re
from typing import Final

_DRAWN: Final = re.compile(r"[\u2500-\u259f]")
"""Box drawing and block elements."""
_CODE: Final = re.compile(r"[{};:,(\\[]\s*$|[\w)\]]\(|[=-]>|=|</\w|^\s*[})\]]+[;,]?\s*$|^\s*(?:return|end|else|pass)\b")
"""What lines of programs and of settings have, and other lines may."""
_SURE: Final = re.compile(
    r"[{}]\s*$|\)\s*[;:]\s*$|[\w\])]\s*[+*/|&-]?=\s*\S|[=-]>\s*\S|^\s*(?:return|import|def|class|function|var|let|const)\b"
)
"""What hardly another line has."""
_LEAST: Final = 0.6
"""Part of the lines that must look like a program's."""


def preformatted(text: str) -> str:
    """The text between fences if it is a drawing or the lines of a program, some of them set in; else ''."""
    lines = [line.rstrip().expandtabs(4) for line in text.splitlines()]
    if len(lines) < 2 or not (_is_drawn(lines) or _is_program(lines)):
        return ""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return "\n".join([fence, *lines, fence])


def _is_drawn(lines: list[str]) -> bool:
    return sum(bool(_DRAWN.search(line)) for line in lines) * 2 > len(lines)


def _is_program(lines: list[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    indents = [len(line) - len(line.lstrip()) for line in filled]
    if max(indents, default=0) - min(indents, default=0) < 2 or sum(bool(_SURE.search(line)) for line in filled) < 2:
        return False
    return sum(bool(_CODE.search(line)) for line in filled) >= _LEAST * len(filled)
