"""Malware scanning."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from frostbyte.kernel.records import ScannerRow


class Verdict(StrEnum):
    """What a scan can say. `unscanned` is never `clean` (promise 2)."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNED = "unscanned"


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and what gave it."""

    verdict: Verdict
    engine: str
    """Name and version of engine and signatures."""
    signature: str = ""
    reason: str = ""
    """Why it is unscanned: no_scanner, size_limit ..."""


class Scanner(Protocol):
    """Raises `Unavailable("scanner_unavailable")` when the engine cannot answer: the document waits."""

    stand_in: bool
    """True for the development stand-in that scans nothing."""

    def scan(self, chunks: Iterable[bytes]) -> ScanResult: ...
    def signatures_made_at(self) -> datetime | None:
        """When the signatures were made that it scans with now; None where it does not say, or has none."""
        ...

    def check(self, max_file_size: int) -> None:
        """At start: is the engine there, and are its limits above `max_file_size` bytes?

        Raises Invalid("scanner_limits") if a larger file would pass unscanned.
        """
        ...


class Scanners(Protocol):
    """What the plane's scanners say of their signatures."""

    def saw(self, name: str, made_at: datetime | None, now: datetime) -> None:
        """A scanner answered now. What was not seen for a day is forgotten."""
        ...

    def seen(self, now: datetime, seconds: float) -> list[ScannerRow]:
        """Those that answered within the last seconds, by name."""
        ...
