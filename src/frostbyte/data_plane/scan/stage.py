"""The stage: scan the bytes, then decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from frostbyte.data_plane import freshness
from frostbyte.data_plane.scan.decision import Decision, decide
from frostbyte.kernel.ports.scanner import Scanner, ScanResult, Verdict


class Terms(NamedTuple):
    """By what a scan counts."""

    allow_unscanned: bool
    """See `decide`."""
    now: datetime
    """By this host's clock."""
    max_age_days: int
    """The tenant's limit of the age of signatures; 0 for none."""


def run(scanner: Scanner, chunks: Iterable[bytes], terms: Terms) -> tuple[ScanResult, Decision]:
    """Scan a file.

    With signatures that are too old nothing is scanned: it would have to be done again, and what is found then is found
    with newer ones.

    Args:
        scanner: the engine.
        chunks: the file's plain bytes in order.
        terms: by what it counts.

    Raises:
        Unavailable: `scanner_unavailable`: the engine cannot answer, so the document waits.
    """
    made_at = None if scanner.stand_in else scanner.signatures_made_at()
    stale = "" if scanner.stand_in else freshness.trouble(made_at, terms.now, terms.max_age_days)
    if stale:
        engine = f"signatures of {made_at:%Y-%m-%d}" if made_at is not None else "signatures of an unknown day"
        result = ScanResult(verdict=Verdict.UNSCANNED, engine=engine, reason=stale)
    else:
        result = scanner.scan(chunks)
    return result, decide(result, allow_unscanned=terms.allow_unscanned)
