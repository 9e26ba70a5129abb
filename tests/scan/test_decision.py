"""What a verdict means: every combination, as a table."""

import pytest

from frostbyte.adapters.clamav.none import NoScanner
from frostbyte.data_plane import scan
from frostbyte.data_plane.scan import decide
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.scanner import Scanner, ScanResult, Verdict

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
    result, decision = scan.run(scanner, [b"text"], allow_unscanned=False)
    assert scanner.stand_in
    assert (result.verdict, result.reason, decision.proceed) == (Verdict.UNSCANNED, "no_scanner", False)


def test_an_outage_is_not_a_verdict() -> None:
    class Down:
        stand_in = False

        def scan(self, chunks: object) -> ScanResult:
            raise Unavailable("scanner_unavailable", "down", "wait")

        def check(self, max_file_size: int) -> None: ...

    with pytest.raises(Unavailable):
        scan.run(Down(), [b"x"], allow_unscanned=True)
