"""Which strings a text must hold for a pattern to have a chance: to look for strings costs much less."""

from __future__ import annotations

from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

_SHORT: Final = 3
"""Shorter strings stand in almost every text."""
_COMMON: Final = frozenset(
    "add all and any are auf auftrag copy das dem den der des die document end for from has hat have ing ist mit "
    "new not out read run sag ten that the this und was wer wird with you your".split()
)
"""Strings in so many ordinary texts that almost any other choice is better."""
_MANY: Final = 400
"""Looking for more strings than this costs as much as the pattern."""


Strings = tuple[str, ...]


def chances(pattern: str) -> tuple[tuple[Strings, ...], ...]:
    """What a text must hold for each of a pattern's alternatives: one string of each of its one or two sets.

    Empty if some alternative has a chance in any text.
    """
    found = [_sets(branch) for branch in _alternatives(_parser.parse(pattern))]
    return tuple(found) if all(found) else ()


def _alternatives(tree: Any) -> Iterable[Any]:
    """The sequences that a pattern consists of, where it is one choice between positions."""
    body = [node for node in tree if node[0] is not _constants.AT]
    if len(body) == 1 and body[0][0] is _constants.SUBPATTERN:
        return _alternatives(body[0][1][3])
    if len(body) == 1 and body[0][0] is _constants.BRANCH:
        return [part for branch in body[0][1][1] for part in _alternatives(branch)]
    return [tree]


def _sets(tree: Any) -> tuple[Strings, ...]:
    """The best set, and the best other one that shares no string with it."""
    ordered = sorted(_useful(_choices(tree)), key=_worth, reverse=True)
    second = next((other for other in ordered[1:] if not other & ordered[0] and not other & _COMMON), None)
    return tuple(tuple(sorted(_minimal(found))) for found in (*ordered[:1], *([second] if second else [])))


def _of(tree: Any) -> frozenset[str] | None:
    """The best choice among what a sequence of parsed nodes must hold."""
    return max(_useful(_choices(tree)), key=_worth, default=None)


def _useful(choices: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    return [choice for choice in choices if _worth(choice)[0] >= _SHORT and len(choice) <= _MANY]


def _choices(tree: Any) -> list[frozenset[str]]:
    """Everything that a sequence of parsed nodes must hold: of each set one string."""
    choices: list[frozenset[str]] = []
    run = ""
    for op, argument in [*tree, (None, None)]:
        if op is _constants.LITERAL:
            run += chr(argument)
            continue
        if op is _constants.AT:
            continue  # a position between characters does not interrupt the string
        if run:
            choices.append(frozenset([run]))
            run = ""
        found = _inside(op, argument)
        if found is not None:
            choices.append(found)
    return choices


def _inside(op: Any, argument: Any) -> frozenset[str] | None:
    if op is _constants.SUBPATTERN:
        return _of(argument[3])
    if op is _constants.BRANCH:
        branches = [_of(branch) for branch in argument[1]]
        if any(branch is None for branch in branches):
            return None
        return frozenset(text for branch in branches for text in branch or ())
    if op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT) and argument[0] >= 1:
        return _of(argument[2])
    return None


def _worth(choice: frozenset[str]) -> tuple[int, int]:
    """Longer strings first, then fewer; common ones last."""
    return (_SHORT if choice & _COMMON else min(min(map(len, choice)), 6)), -len(choice)


def _minimal(strings: Iterable[str]) -> set[str]:
    """Without strings that hold another one."""
    kept: set[str] = set()
    for text in sorted(strings, key=len):
        if not any(shorter in text for shorter in kept):
            kept.add(text)
    return kept
