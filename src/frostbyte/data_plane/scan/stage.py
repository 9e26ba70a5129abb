"""The stage: scan the bytes, then decide."""

from __future__ import annotations

from collections.abc import Iterable

from frostbyte.data_plane.scan.decision import Decision, decide
from frostbyte.kernel.ports.scanner import Scanner, ScanResult


def run(scanner: Scanner, chunks: Iterable[bytes], *, allow_unscanned: bool) -> tuple[ScanResult, Decision]:
    """Scan a file.

    Args:
        scanner: the engine.
        chunks: the file's plain bytes in order.
        allow_unscanned: see `decide`.

    Raises:
        Unavailable: `scanner_unavailable`: the engine cannot answer, so the document waits.
    """
    result = scanner.scan(chunks)
    return result, decide(result, allow_unscanned=allow_unscanned)
