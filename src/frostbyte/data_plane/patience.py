"""How often a stage is tried, how long is waited in between, and how long it may take."""

from __future__ import annotations

from typing import Final

from frostbyte.kernel.records import Stage

BACKOFF_SECONDS: Final = {
    Stage.SCAN: (10, 60, 300),
    Stage.PARSE: (10, 60, 300),
    Stage.POLICY: (30, 30),
    Stage.EMBED: (10, 60, 300),
    Stage.INDEX: (10, 60, 300),
}
"""One wait for each retry: how long an unexpected error is waited out. An unavailable server costs no retry."""

LIMIT_SECONDS: Final = {
    Stage.SCAN: 1_800,
    Stage.PARSE: 4_200,
    Stage.POLICY: 4_200,
    Stage.EMBED: 14_400,
    Stage.INDEX: 600,
}
"""Above this a stage is taken for hung: its lease is not renewed, and a worker ends the process that does it.

Parsers and judges have limits of their own below theirs. Embedding a book of 5,000 pages on one slow core takes three
hours. Indexing must end before an erasure takes for granted that nobody writes the erased vectors any more.
"""


def attempts(stage: Stage) -> int:
    """How often a job of the stage is begun. Counted before the work, so a document that kills its worker ends too."""
    return len(BACKOFF_SECONDS[stage]) + 1


def backoff(stage: Stage, attempt: int) -> int:
    """Seconds to wait after the failed `attempt` (1-based); the last wait repeats."""
    waits = BACKOFF_SECONDS[stage]
    return waits[min(max(attempt, 1), len(waits)) - 1]
