"""What all lanes share: at the end, a run says what it left out, and with FROSTBYTE_REQUIRE=all it fails for it."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from draws import SEED
from frostbyte.cli import output
from servers.lanes import excused

pytest_plugins = ["servers.fixtures"]

_LANES: Final = {"docker": "containers", "browser": "browser", "slow": "slow"}
"""Lanes by the mark of their tests; the first that fits is a test's own, and one with no mark is in the fast lane."""
REQUIRE_ALL = os.environ.get("FROSTBYTE_REQUIRE", "") == "all"


_SERVERS: Final = frozenset({"database", "postgres", "postgres_server"})
"""Fixtures that start a database, and what a contract calls its real adapter."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Examples are drawn like everything else, unless `--hypothesis-seed` says how."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(SEED)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks a real database is slow; of a contract, the adapter in memory stays in the fast lane."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        if _SERVERS & asked or any(value == "postgres" for value in values if isinstance(value, str)):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What was collected stays to the end, and the collector of garbage need not look at it time and again."""
    gc.collect()
    gc.freeze()


def _reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    """Why tests were skipped, and how many for each reason."""
    reasons: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[why.removeprefix("Skipped: ")] += 1
    return reasons


def _lane_line(reporter: pytest.TerminalReporter) -> str:
    """How many tests of each lane there were, and how long they took one after the other, whatever ran side by side.

    `.ci/run` has the budgets: of what a lane takes by the clock, starting and collecting included.
    """
    tests, seconds = Counter[str](), Counter[str]()
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                lane = next((name for mark, name in _LANES.items() if mark in report.keywords), "fast")
                tests[lane] += report.when == "call"
                seconds[lane] += report.duration  # type: ignore[assignment]  # a Counter adds up floats as well
    return ", ".join(f"{lane} lane: {tests[lane]} tests of {seconds[lane]:.0f} s" for lane in sorted(seconds))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Time by lane, and what was left out, with the reason that the test gives: it says what to install."""
    if line := _lane_line(terminalreporter):
        terminalreporter.line(f"{line}; drawn with FROSTBYTE_SEED={SEED}")
    reasons = _reasons(terminalreporter)
    if reasons:
        terminalreporter.section("left out")
        for why, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} x {why}" + " (cannot be had on a test machine)" * excused(why))
        if REQUIRE_ALL and not all(excused(why) for why in reasons):
            terminalreporter.line("FROSTBYTE_REQUIRE=all: all that can be had must run, so this fails.", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with skips into a failed one where everything is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and reporter is not None and session.exitstatus == 0 and not all(map(excused, _reasons(reporter))):
        session.exitstatus = 1


@pytest.fixture(autouse=True)
def own_consoles() -> Iterator[None]:
    """A command in this process writes to the streams of its own test, never to those of one that has ended."""
    output.forget_consoles()
    yield
    output.forget_consoles()
