"""What the policy gate asks of an engine that recognises names and addresses."""

from __future__ import annotations

from typing import Protocol

Span = tuple[int, int]
"""(start, end): a half-open range of the text asked about."""
NameSpan = tuple[int, int, str, float]
"""(start, end, kind, confidence): a half-open range of the text asked about, `NAME` or `ADDRESS`, and 0..1."""


class NameFinder(Protocol):
    """Finds the names and postal addresses of people. Implementations are deterministic for a given `version`."""

    @property
    def version(self) -> str:
        """Names the engine and its weights; part of the generation."""
        ...

    def find(self, text: str) -> list[NameSpan]:
        """All names and addresses in `text`, ordered by start.

        Raises:
            Unavailable: `pii_engine_missing` if the engine cannot work; the document then waits (promise 2).
        """
        ...
