"""The ledger's alert rules: Prometheus takes them, they ask for metrics that exist, and each has its runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.api.control.ledger_meters import LedgerMeters
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.control_plane.ledger.records import Finding
from ledger.test_pull import WITNESS
from servers.lanes import need, program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/observability/ledger.yml"
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]


def test_every_metric_that_is_asked_for_exists() -> None:
    clock = ManualClock()
    made = Ledger(MemoryLedger(), MemoryRegistry().unit_of_work, lambda endpoints: None, WITNESS, clock)  # type: ignore[arg-type,return-value]
    exposed = {family.name for family in LedgerMeters(made, clock).collect()}
    asked = {name for rule in ALERTS for name in re.findall(r"frostbyte_\w+", rule["expr"])}
    assert len(asked) >= 3
    assert asked <= exposed
    named = {
        word
        for rule in ALERTS
        for text in re.findall(r'finding[!=~]+"([^"]*)"', rule["expr"])
        for word in text.split("|")
    }
    assert named <= {finding.value for finding in Finding}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_section_that_names_it(rule: dict[str, Any]) -> None:
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    slug = {re.sub(r"[^a-z0-9 -]", "", part.split("\n")[0].lower()).replace(" ", "-"): part for part in sections}
    assert rule["alert"] in slug[anchor]
    assert "**Over when**" in slug[anchor]
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_runbook_explains_every_finding_that_stops() -> None:
    text = (ROOT / "docs/runbooks/control/ledger.md").read_text(encoding="utf-8")
    assert all(f"| `{finding.value}` |" in text for finding in Finding if finding.stops)


def test_prometheus_takes_the_file() -> None:
    need("promtool")
    done = subprocess.run([str(program("promtool")), "check", "rules", str(RULES)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
