"""Which strings a text must hold for a pattern to have a chance: to look for strings costs much less."""

from __future__ import annotations

import re
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

_LEAD: Final = 12
"""So many characters may stand before the first word of a match, for its words to be looked up."""
_NO_BOUND: Final = 1 << 60
_MANY_STARTS: Final = 3000
INSIDE: Final = "~"
_BEGINNING: Final = re.compile(r"([ ^]+)([a-z]+ ?)|([a-z]{3,})")
_CLOSED: Final = re.compile(r"[ ^]*[a-z]+[^a-z]")


Strings = tuple[str, ...]


def chances(pattern: str) -> tuple[tuple[Strings, ...], ...]:
    """What a text must hold for each of a pattern's alternatives: one string of each of its one or two sets.

    Empty if some alternative has a chance in any text.
    """
    found = [_sets(branch) for branch in _alternatives(_parser.parse(pattern))]
    return tuple(found) if all(found) else ()


def width(pattern: str) -> int:
    """The most characters that a pattern matches; a very large number if there is no such bound."""
    return int(_parser.parse(pattern).getwidth()[1])


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


def starts(pattern: str) -> dict[str, int]:
    """How the first words of a pattern's matches begin, with how many other characters may stand before them.

    What ends in a blank is the whole word; what begins with `INSIDE` are letters at which a match may begin though
    others stand before them. A number above `_LEAD` is no bound. Empty if it is not known.
    """
    begun, ended = _beginnings(_parser.parse(pattern))
    found: dict[str, int] = {}
    for text in begun | ended:
        said = _BEGINNING.match(text)
        if said is None:
            return {}
        if said[3]:
            found[INSIDE + said[3]] = 0
            continue
        before = said[1].count(" ")
        found[said[2]] = max(found.get(said[2], 0), before if before <= _LEAD else _NO_BOUND)
    return found


def _beginnings(tree: Any) -> tuple[set[str], set[str]]:
    """What a sequence of nodes may match, and how what it matches may begin where that is not known to its end.

    A blank stands for any character but a letter, `^` for a border of a word or the beginning of the text.
    """
    begun, ended = {""}, set[str]()
    for op, argument in tree:
        if op in (_constants.ASSERT, _constants.ASSERT_NOT):
            continue  # they take no characters
        more, closed = _next(op, argument)
        ended |= {text + end for text in begun for end in closed}
        begun = {text + end for text in begun for end in more}
        # Behind its first word nothing more of a text is asked for: without this, choices multiply.
        known = {text for text in begun if _CLOSED.match(text)}
        ended |= known
        begun -= known
        if len(begun) + len(ended) > _MANY_STARTS:
            ended |= begun
            begun = set()
        if not begun:
            break
    return begun, ended


def _next(op: Any, argument: Any) -> tuple[set[str], set[str]]:
    """`_beginnings` of one node."""
    if op is _constants.AT:
        return {"^" if argument in (_constants.AT_BOUNDARY, _constants.AT_BEGINNING) else ""}, set()
    if op is _constants.LITERAL:
        return {_one(chr(argument))}, set()
    if op is _constants.SUBPATTERN:
        return _beginnings(argument[3])
    if op is _constants.BRANCH:
        both = [_beginnings(branch) for branch in argument[1]]
        return {text for begun, _ in both for text in begun}, {text for _, ended in both for text in ended}
    if op is _constants.IN:
        if _no_letters(argument):
            return {" "}, set()
        literal = all(kind is _constants.LITERAL for kind, _ in argument)
        return ({_one(chr(code)) for _, code in argument}, set()) if literal else (set(), {"?"})
    if op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
        return _repeated(*argument)
    return set(), {"?"}


def _repeated(least: int, most: int, tree: Any) -> tuple[set[str], set[str]]:
    begun, ended = _beginnings(tree)
    if begun == {" "} and not ended:
        begun = {" " * min(most, _LEAD + 1)}
    elif most > 1:
        begun, ended = set(), {text if text in ended else text + "?" for text in begun | ended}
    return (begun if least else begun | {""}), ended


def _one(char: str) -> str:
    """A letter as it is, anything else as a blank."""
    return char if char.isascii() and char.isalpha() else " "


def _no_letters(members: Any) -> bool:
    """Whether a class of characters has no letters."""
    return all(
        (kind is _constants.LITERAL and not chr(value).isalpha())
        or (kind is _constants.CATEGORY and value in (_constants.CATEGORY_NOT_WORD, _constants.CATEGORY_SPACE))
        for kind, value in members
    )
