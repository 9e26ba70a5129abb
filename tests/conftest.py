"""What all lanes share: at the end, a run says what it left out, and with FROSTBYTE_REQUIRE=all it fails for it."""

from __future__ import annotations

import os
from collections import Counter

import pytest

REQUIRE_ALL = os.environ.get("FROSTBYTE_REQUIRE", "") == "all"


def _reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    """Why tests were skipped, and how many for each reason."""
    reasons: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[why.removeprefix("Skipped: ")] += 1
    return reasons


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was left out, with the reason that the test gives: it says what to install."""
    reasons = _reasons(terminalreporter)
    if reasons:
        terminalreporter.section("left out")
        for why, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} x {why}")
        if REQUIRE_ALL:
            terminalreporter.line("FROSTBYTE_REQUIRE=all: nothing may be left out, so this run fails.", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with skips into a failed one where everything is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and reporter is not None and session.exitstatus == 0 and _reasons(reporter):
        session.exitstatus = 1
