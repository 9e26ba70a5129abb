"""Names and addresses: what form and surroundings tell, and what the engine says about the rest.

The engine reads some 15 KB a second, so it sees only short passages around what is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from frostbyte.data_plane.policy import addresses
from frostbyte.data_plane.policy.people import People, overlaps
from frostbyte.data_plane.policy.port import NameFinder, NameSpan

_AROUND: Final = 120
"""Characters of its line on each side of a doubt that the engine sees."""

_PASSAGE: Final = 600
"""Passages are joined up to this length."""

_SHORT: Final = 400
"""A text up to this length without capitals is judged whole: people type queries so."""

BY_WORDS: Final = 0.9
"""Confidence in what form and surroundings tell."""

BY_ENGINE: Final = 0.75
"""Confidence in what only the engine tells."""


def find(text: str, engine: NameFinder) -> list[NameSpan]:
    """Names and addresses in `text`, ordered by start.

    Raises:
        Unavailable: `pii_engine_missing` if the engine cannot work.
    """
    if len(text) <= _SHORT and text == text.lower():
        return engine.find(text)
    places = addresses.find(text)
    people = People(text, places)
    doubts = [(doubt.run.start, doubt.run.end) for doubt in people.doubts]
    cues = [cue for cue in addresses.cues(text) if not overlaps(cue, places)]
    seen: list[NameSpan] = []
    for start, end in _passages(text, sorted([*doubts, *cues])):
        seen += [(start + a, start + b, kind, sure) for a, b, kind, sure in engine.find(text[start:end])]
    told = [(a, b) for a, b, kind, _ in seen if kind == "ADDRESS" and addresses.plausible(text, (a, b))]
    places = sorted([*places, *(span for span in told if not overlaps(span, places))])
    found: list[NameSpan] = [(a, b, "ADDRESS", BY_WORDS) for a, b in places]
    found += [(a, b, "NAME", BY_WORDS) for a, b in people.sure if not overlaps((a, b), places)]
    for span, given in people.settle((a, b) for a, b, kind, _ in seen if kind == "NAME"):
        if not overlaps(span, places):
            found.append((*span, "NAME", BY_WORDS if given else BY_ENGINE))
    return sorted(found)


def _passages(text: str, spots: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches around the spots, cut at line ends, joined where they meet."""
    held: tuple[int, int] | None = None
    for start, end in spots:
        begin = max(text.rfind("\n", 0, start) + 1, start - _AROUND)
        while begin > 0 and begin > start - 2 * _AROUND and text[begin - 1].isalnum():
            begin -= 1
        line = text.find("\n", end)
        stop = min(len(text) if line < 0 else line, end + _AROUND)
        while stop < len(text) and stop < end + 2 * _AROUND and text[stop].isalnum():
            stop += 1
        if held is not None and begin <= held[1] + 1 and max(stop, held[1]) - held[0] <= _PASSAGE:
            held = held[0], max(stop, held[1])
            continue
        if held is not None:
            yield held
        held = begin, stop
    if held is not None:
        yield held
