"""Labels, and the language that selects by them (public reference: Labels, Label Selector).

    k=v  k==v  k!=v  k  !k  k in (a,b)  k notin (a,b), joined by commas

A selector that cannot be read is refused as the API does: nothing is ever selected by a misunderstood one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from frostbyte.adapters.hetzner.world.refusals import Refused, invalid

Selector: TypeAlias = Callable[[Mapping[str, str]], bool]
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DNS = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_KEY: Final = re.compile(rf"(?:(?P<prefix>{_DNS}(?:\.{_DNS})*)/)?{_NAME}")
_VALUE: Final = re.compile(rf"(?:{_NAME})?")
_RESERVED: Final = "hetzner.cloud"
_PREFIX: Final = 253
_TERM: Final = re.compile(
    r"""\s*(?:
      (?P<key>[^\s,()=!]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
    | (?P<left>[^\s,()=!]+)\s*(?P<op>==|=|!=)\s*(?P<right>[^\s,()=!]*)
    | (?P<not>!?)\s*(?P<alone>[^\s,()=!]+)
    )\s*""",
    re.VERBOSE,
)
MOST: Final = 4096
"""Characters of a selector."""


def check(labels: Mapping[str, str]) -> None:
    """Raises Refused for a key or a value that no label can have."""
    for key, value in labels.items():
        if not key_allowed(key):
            raise invalid("labels", "label key is not correctly formatted")
        if not _VALUE.fullmatch(value):
            raise invalid("labels", "label value is not correctly formatted")


def key_allowed(key: str) -> bool:
    """Whether a label can have that key."""
    match = _KEY.fullmatch(key)
    if not match:
        return False
    prefix = match["prefix"] or ""
    return len(prefix) <= _PREFIX and prefix != _RESERVED and not prefix.endswith(f".{_RESERVED}")


@lru_cache(maxsize=512)
def selector(text: str) -> Selector:
    """What a selector selects; '' selects everything.

    Raises:
        Refused: it cannot be read.
    """
    terms = [_term(part) for part in _split(text)]
    return lambda labels: all(term(labels) for term in terms)


def _split(text: str) -> list[str]:
    """Its terms: commas within parentheses do not part."""
    if len(text) > MOST:
        raise _unreadable()
    if not text.strip():
        return []
    parts, depth, begin = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _term(text: str) -> Selector:
    match = _TERM.fullmatch(text)
    if not match:
        raise _unreadable()
    key = match["key"] or match["left"] or match["alone"]
    if not _KEY.fullmatch(key):
        raise _unreadable()
    if match["set"]:
        values = {value.strip() for value in match["values"].split(",")}
        if not all(map(_VALUE.fullmatch, values)):
            raise _unreadable()
        if match["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match["op"]:
        value = match["right"]
        if not _VALUE.fullmatch(value):
            raise _unreadable()
        if match["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match["not"]:
        return lambda labels: key not in labels
    return lambda labels: key in labels


def _unreadable() -> Refused:
    return invalid("label_selector", "label selector is not correctly formatted")
