"""What a verdict means: every combination, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from frostbyte.adapters.clamav.none import NoScanner
from frostbyte.data_plane import scan
from frostbyte.data_plane.scan import decide
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.scanner import Scanner, ScanResult, Verdict

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CASES = [
    (Verdict.CLEAN, "", False, (True, False, "")),
    (Verdict.CLEAN, "", True, (True, False, "")),
    (Verdict.INFECTED, "", False, (False, True, "malware_found")),
    (Verdict.INFECTED, "", True, (False, True, "malware_found")),
    (Verdict.UNSCANNED, "no_scanner", False, (False, False, "no_scanner")),
    (Verdict.UNSCANNED, "size_limit", False, (False, False, "scan_limit_exceeded")),
    (Verdict.UNSCANNED, "encrypted", False, (False, False, "scan_encrypted")),
    (Verdict.UNSCANNED, "anything else", False, (False, False, "not_scanned")),
    (Verdict.UNSCANNED, "no_scanner", True, (True, False, "no_scanner")),
    (Verdict.UNSCANNED, "size_limit", True, (True, False, "scan_limit_exceeded")),
]


@pytest.mark.parametrize(("verdict", "reason", "allowed", "expected"), CASES)
def test_decisions(verdict: Verdict, reason: str, allowed: bool, expected: tuple[bool, bool, str]) -> None:
    result = ScanResult(verdict=verdict, engine="e", reason=reason, signature="Eicar")
    decision = decide(result, allow_unscanned=allowed)
    assert (decision.proceed, decision.quarantine, decision.code) == expected
    if decision.code:
        assert decision.message
        assert decision.remedy
        assert "Eicar" not in decision.message + decision.remedy


def test_the_stand_in_never_says_clean() -> None:
    scanner: Scanner = NoScanner()
    result, decision = scan.run(scanner, [b"text"], scan.Terms(allow_unscanned=False, now=NOW, max_age_days=7))
    assert scanner.stand_in
    assert (result.verdict, result.reason, decision.proceed) == (Verdict.UNSCANNED, "no_scanner", False)


def test_an_outage_is_not_a_verdict() -> None:
    class Down:
        stand_in = False

        def scan(self, chunks: object) -> ScanResult:
            raise Unavailable("scanner_unavailable", "down", "wait")

        def signatures_made_at(self) -> datetime | None:
            return NOW

        def check(self, max_file_size: int) -> None: ...

    with pytest.raises(Unavailable):
        scan.run(Down(), [b"x"], scan.Terms(allow_unscanned=True, now=NOW, max_age_days=7))


# -- how old signatures are ----------------------------------------------------------------------------------------

AGES = [
    (timedelta(days=6.9), 7, ""),
    (timedelta(days=7.1), 7, "signatures_too_old"),
    (timedelta(days=4000), 0, ""),
    (timedelta(days=-0.9), 7, ""),
    (timedelta(days=-1.1), 7, "signatures_ahead"),
    (timedelta(days=-1.1), 0, ""),
    (None, 7, "signatures_undated"),
    (None, 0, ""),
]


class Dated:
    """Calls everything clean, with signatures of a day."""

    stand_in = False
    scanned = 0

    def __init__(self, made_at: datetime | None) -> None:
        self.made_at = made_at

    def scan(self, chunks: object) -> ScanResult:
        self.scanned += 1
        return ScanResult(verdict=Verdict.CLEAN, engine="e")

    def signatures_made_at(self) -> datetime | None:
        return self.made_at

    def check(self, max_file_size: int) -> None: ...


@pytest.mark.parametrize(("age", "limit", "code"), AGES)
@pytest.mark.parametrize("allowed", [False, True])
def test_old_signatures_call_nothing_clean(age: timedelta | None, limit: int, code: str, allowed: bool) -> None:
    scanner = Dated(NOW - age if age is not None else None)
    terms = scan.Terms(allow_unscanned=allowed, now=NOW, max_age_days=limit)
    result, decision = scan.run(scanner, [b"x"], terms)
    assert result.verdict is (Verdict.UNSCANNED if code else Verdict.CLEAN)
    assert (decision.code, decision.quarantine, decision.proceed) == (code, False, allowed or not code)
    assert scanner.scanned == (not code)
    if code:
        assert decision.message
        assert decision.remedy
