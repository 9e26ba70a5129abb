"""The stand-in where no scanner is installed. It never says clean."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from frostbyte.kernel.ports.scanner import ScanResult, Verdict


class NoScanner:
    """Calls everything unscanned."""

    stand_in = True

    def scan(self, chunks: Iterable[bytes]) -> ScanResult:
        """`unscanned`, without reading anything."""
        return ScanResult(verdict=Verdict.UNSCANNED, engine="none", reason="no_scanner")

    def signatures_made_at(self) -> datetime | None:
        """None: it has none."""
        return None

    def check(self, max_file_size: int) -> None:
        """It has no limits."""
