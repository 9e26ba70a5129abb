"""Equations (Office Math) as a line of text: fractions with a stroke, exponents behind `^`, roots behind `√`.

Only what the author typed is found text; strokes, brackets and signs are made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import attribute, local

_MAX_DEPTH: Final = 256
"""XML is no deeper."""
Part = tuple[str, bool]
"""Text, and whether it was found in the file."""


def linear(node: Any, depth: int = 0) -> Iterator[Part]:
    """The parts of an `m:oMath` or of anything inside it, in reading order."""
    if depth > _MAX_DEPTH:
        return
    for child in node:
        name = local(child)
        if name == "t":
            yield child.text or "", True
        elif name == "tab":
            yield "\t", True
        elif name in ("br", "cr"):
            yield "\n", True
        elif name in _SHAPES:
            yield from _SHAPES[name](child, depth + 1)
        elif not name.endswith("Pr"):
            yield from linear(child, depth + 1)


def _piece(node: Any, name: str, depth: int) -> list[Part]:
    found = next((child for child in node if local(child) == name), None)
    return list(linear(found, depth)) if found is not None else []


def _grouped(parts: list[Part]) -> Iterator[Part]:
    """In brackets where more than one sign stands together."""
    if sum(len(text) for text, _ in parts) > 1:
        yield "(", False
        yield from parts
        yield ")", False
    else:
        yield from parts


def _fraction(node: Any, depth: int) -> Iterator[Part]:
    yield from _grouped(_piece(node, "num", depth))
    yield "/", False
    yield from _grouped(_piece(node, "den", depth))


def _scripts(node: Any, depth: int) -> Iterator[Part]:
    before = local(node) == "sPre"
    base = _piece(node, "e", depth)
    if not before:
        yield from base
    for name, sign in (("sub", "_"), ("sup", "^")):
        if parts := _piece(node, name, depth):
            yield sign, False
            yield from _grouped(parts)
    if before:
        yield " ", False
        yield from base


def _root(node: Any, depth: int) -> Iterator[Part]:
    degree = _piece(node, "deg", depth)
    yield "√", False
    if degree:
        yield "[", False
        yield from degree
        yield "]", False
    yield "(", False
    yield from _piece(node, "e", depth)
    yield ")", False


def _large(node: Any, depth: int) -> Iterator[Part]:
    yield _property(node, "chr") or "∫", False
    for name, sign in (("sub", "_"), ("sup", "^")):
        if parts := _piece(node, name, depth):
            yield sign, False
            yield from _grouped(parts)
    yield " ", False
    yield from _piece(node, "e", depth)


def _brackets(node: Any, depth: int) -> Iterator[Part]:
    opening, closing = _property(node, "begChr"), _property(node, "endChr")
    yield "(" if opening is None else opening, False
    first = True
    for child in node:
        if local(child) == "e":
            if not first:
                yield _property(node, "sepChr") or "|", False
            first = False
            yield from linear(child, depth)
    yield ")" if closing is None else closing, False


def _matrix(node: Any, depth: int) -> Iterator[Part]:
    for row, line in enumerate(child for child in node if local(child) == "mr"):
        if row:
            yield "; ", False
        for column, item in enumerate(child for child in line if local(child) == "e"):
            if column:
                yield ", ", False
            yield from linear(item, depth)


def _lines(node: Any, depth: int) -> Iterator[Part]:
    for number, item in enumerate(child for child in node if local(child) == "e"):
        if number:
            yield "; ", False
        yield from linear(item, depth)


def _limit(node: Any, depth: int) -> Iterator[Part]:
    yield from _piece(node, "e", depth)
    yield "_" if local(node) == "limLow" else "^", False
    yield from _grouped(_piece(node, "lim", depth))


def _function(node: Any, depth: int) -> Iterator[Part]:
    yield from _piece(node, "fName", depth)
    yield " ", False
    yield from _piece(node, "e", depth)


def _property(node: Any, name: str) -> str | None:
    for child in node:
        if local(child).endswith("Pr"):
            for item in child:
                if local(item) == name:
                    return attribute(item, "val") or ""
    return None


_SHAPES: Final = {
    "f": _fraction,
    "sSub": _scripts,
    "sSup": _scripts,
    "sSubSup": _scripts,
    "sPre": _scripts,
    "rad": _root,
    "nary": _large,
    "d": _brackets,
    "m": _matrix,
    "eqArr": _lines,
    "limLow": _limit,
    "limUpp": _limit,
    "func": _function,
}
