"""Alert rules, dashboard and runbooks hold together, as Prometheus' own tool and the real metrics see them."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from control.watch.views import Looking
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.api.control.backup_meters import BackupMeters
from frostbyte.api.control.gauges import ControlGauges
from frostbyte.api.data.meters import _hints
from frostbyte.api.embedder.app import Meters as EmbedderMeters
from frostbyte.bootstrap.watch import Watch
from frostbyte.control_plane.backup.keeper import Keeper, Standing
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import Stage
from observability.runbooks import CONTROL_RULES, RULES, alerts
from servers.lanes import need, program

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "deploy/observability"
CASES: Final = tomllib.loads(Path(__file__).with_name("alerts.toml").read_text())
ALERTS: Final[dict[str, Any]] = dict(alerts())
BOTH: Final = [str(RULES), str(CONTROL_RULES)]
NAME: Final = re.compile(r"\bfrostbyte_[a-z0-9_]+")
SHAPE: Final = re.compile(
    r"frostbyte_(api|audit|dependency|control|disk|documents|embedder|jobs|plane|queue|stage|watch|webhooks)_[a-z0-9_]+"
    r"_(seconds|bytes|bytes_total|count|bool|total|events|tokens|texts)"
)


def promtool(*arguments: str) -> None:
    need("promtool")
    done = subprocess.run([str(program("promtool")), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_files() -> None:
    promtool("check", "rules", *BOTH)
    for file in ("prometheus.yml", "prometheus-control.yml"):
        promtool("check", "config", str(FILES / file))


def test_every_alert_has_a_case_and_says_what_to_do() -> None:
    assert set(ALERTS) == set(CASES)
    for name, rule in ALERTS.items():
        assert set(rule["annotations"]) == {"summary", "runbook"}, name
        assert rule["labels"]["severity"] in ("page", "ticket"), name


def _series(texts: list[str]) -> list[dict[str, str]]:
    return [dict(zip(("series", "values"), text.split(" ", 1), strict=True)) for text in texts]


def _expected(rule: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    def told(text: str) -> str:
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)

    annotations = {key: told(text) for key, text in rule["annotations"].items()}
    return {"exp_labels": rule["labels"] | labels, "exp_annotations": annotations}


@pytest.mark.slow
def test_each_alert_fires_on_its_fault_and_is_silent_otherwise(tmp_path: Path) -> None:
    """When the fault is first seen none fires yet: a blip wakes nobody."""
    tests = []
    for name, case in CASES.items():
        rule = ALERTS[name]
        fires = {"alertname": name, "eval_time": "95m", "exp_alerts": [_expected(rule, case["labels"])]}
        early = {"alertname": name, "eval_time": "0m"}
        tests.append({"interval": "1m", "input_series": _series(case["fault"]), "alert_rule_test": [early, fires]})
        silent = [{"alertname": name, "eval_time": moment} for moment in ("5m", "40m", "95m")]
        tests.append({"interval": "1m", "input_series": _series(case["well"]), "alert_rule_test": silent})
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": BOTH, "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", str(file))


def test_a_case_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The cases above prove something: swapped, they fail."""
    case = CASES["FrostbyteScannerDown"]
    test = {
        "interval": "1m",
        "input_series": _series(case["fault"]),
        "alert_rule_test": [{"alertname": "FrostbyteScannerDown", "eval_time": "95m"}],
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": BOTH, "evaluation_interval": "1m", "tests": [test]}))
    with pytest.raises(AssertionError, match="FrostbyteScannerDown"):
        promtool("test", "rules", str(file))


def _dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((FILES / "grafana-plane.json").read_text())
    return made


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in ALERTS.values())
    for panel in _dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def _exposed(text: str) -> set[str]:
    """Names of samples, also of families that have none right now."""
    found = set[str]()
    for family in text_string_to_metric_families(text):
        found |= {sample.name for sample in family.samples}
        ends = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",)}.get(family.type, ("",))
        found |= {f"{family.name}{end}" for end in ends}
    return found


def test_every_metric_that_is_asked_for_exists(metrics: Callable[[], Any], client: Any) -> None:
    metrics()
    plane = _exposed(client.get("/metrics").text)
    embedder = _exposed(generate_latest(EmbedderMeters().registry).decode())
    with_queue = Watch(probes={}, tally=lambda: None, hints=dict, data_dir=ROOT)  # type: ignore[arg-type, return-value]
    with_queue.waiting_hints = dict.fromkeys(Stage, 0)
    queue = {family.name for family in _hints(with_queue)}
    looking = Looking()
    looking.look()
    control = {family.name for family in ControlGauges(looking.switching).collect()}
    keeper = Keeper(MemoryRegistry().unit_of_work, SystemClock(), None)
    keeper.standing = Standing(on=True, good_at=SystemClock().now())
    control |= {family.name for family in BackupMeters(keeper, SystemClock()).collect()}
    asked = {name for expression in _expressions() for name in NAME.findall(expression)}
    assert len(asked) > 25
    assert asked - plane - embedder - queue - control == set()


def test_names_follow_one_form(metrics: Callable[[], Any], client: Any) -> None:
    metrics()
    for text in (client.get("/metrics").text, generate_latest(EmbedderMeters().registry).decode()):
        for family in text_string_to_metric_families(text):
            if not family.name.endswith("_created"):  # when a counter began: the client's own
                assert SHAPE.fullmatch(f"{family.name}_total" if family.type == "counter" else family.name), family.name


def test_every_expression_of_the_dashboard_is_one_that_prometheus_reads(tmp_path: Path) -> None:
    groups = [{"name": "dashboard", "rules": [
        {"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(_expressions())
    ]}]  # fmt: skip
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    promtool("check", "rules", str(file))


def test_the_dashboard_is_whole() -> None:
    board = _dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    boxes = [panel["gridPos"] for panel in board["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    assert all(panel["title"] and (panel["type"] == "row" or panel["description"]) for panel in board["panels"])
    assert not re.search(r"https?://", json.dumps(board))  # nothing from outside
