"""Every alert leads to a section that says enough, and what the sections say to type can be typed."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from frostbyte.cli.app import app
from frostbyte.control_plane.killswitch import answers, pusher
from frostbyte.control_plane.ledger.records import Finding
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.watch import verdict
from frostbyte.deploy.compose.base import SERVICES as BASE
from frostbyte.deploy.hosts.renderer import _services as services
from observability.runbooks import CONTROL_RULES, FOLDER, LEDGER_RULES, RULES, alerts, pages, section, sections

ALERTS: dict[str, Any] = dict(alerts(RULES, CONTROL_RULES, LEDGER_RULES))
TYPED = sorted(
    {line for path in FOLDER.rglob("*.md") for part in sections(path).values() for line in part.commands + part.over}
)
OVER = sorted({line for path in pages() for part in sections(path).values() for line in part.over})


def reasons() -> Iterator[tuple[str, str]]:
    """Each reason that a verdict may hold, with the link to its section, as the code writes them."""
    tree = ast.parse(Path(verdict.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_reason", "_above"):
            values = [_text(part, tree) for part in node.args[1:4]]
            code, link = (values[1:] if node.func.id == "_above" else values[:2])[:2]
            if code and link:
                yield code, verdict.RUNBOOKS + (link if "#" in link else f"control.md#{link}")


def _text(node: ast.expr, tree: ast.Module) -> str:
    """A text that stands there, or that a name of the function stands for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        for each in ast.walk(tree):
            if isinstance(each, ast.Assign) and any(getattr(part, "id", "") == node.id for part in each.targets):
                return _text(each.value, tree)
    return ""


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_symptom_impact_commands_and_its_end(name: str) -> None:
    found = section(ALERTS[name]["annotations"]["runbook"])
    assert f"`{name}`" in found.text
    for word in ("**Symptom.**", "**Impact.**", "**Commands.**", "**Over when**"):
        assert word in found.text, word
    assert found.commands
    assert found.over


def test_every_section_belongs_to_an_alert_and_every_link_leads_somewhere() -> None:
    linked = {rule["annotations"]["runbook"] for rule in ALERTS.values()} | {link for _, link in reasons()}
    written = {f"docs/runbooks/{path.relative_to(FOLDER)}#{name}" for path in pages() for name in sections(path)}
    assert written == linked
    for path in FOLDER.rglob("*.md"):
        for target, _, name in re.findall(r"\]\(([^)#]*)(#([a-z0-9-]+))?\)", path.read_text()):
            place = path.parent / target if target else path
            assert place.exists(), target
            assert not name or name in sections(place) or place.parent.name == "docs", (path.name, target, name)


def test_every_reason_of_a_verdict_is_named_where_it_leads_and_watched_by_an_alert() -> None:
    found = dict(reasons())
    assert len(found) >= 16
    watched = " ".join(rule["expr"] for rule in alerts(CONTROL_RULES).values())
    for code, link in found.items():
        assert section(link).commands, code
        # A plane with stand-ins says so by an alert of its own.
        assert code == "stand_ins" or (f"`{code}`" in section(link).text and re.search(rf"\b{code}\b", watched)), code


def test_every_alarm_and_every_finding_says_what_to_do() -> None:
    text = section("docs/runbooks/control.md#a-plane-answers-wrongly").text
    for code in {*answers.CODES, *pusher.ALARMING}:
        assert f"`{code}`" in text, code
    table = (FOLDER / "control/ledger.md").read_text()
    own = " ".join(rule["expr"] for rule in alerts(LEDGER_RULES).values())
    for finding in Finding:  # those that stop a log are explained together, the others by an alert of their own
        assert f"| `{finding.value}` |" in table if finding.stops else f'"{finding.value}"' in own, finding


@pytest.mark.parametrize("line", TYPED)
def test_a_line_can_be_typed(line: str) -> None:
    subprocess.run(["sh", "-n", "-c", line], check=True)
    if line.startswith("frostbyte "):
        command: Any = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        with click.Context(command) as context:
            while words and isinstance(command, click.Group):
                found = command.get_command(context, words.pop(0))
                assert found is not None, line
                command = found
            command.make_context("frostbyte", words)


def test_services_are_called_as_in_the_project() -> None:
    known = {*services(HostRole.SINGLE), *BASE}
    named = {
        word
        for line in TYPED
        if (found := re.search(r"docker compose (?:logs|restart|exec|ps)\b(.*)", line.partition("|")[0]))
        for word in shlex.split(re.sub(r"\bfrostbyte .*|\bdate .*", "", found[1]))
        if not word.startswith("-") and not word.isdigit()
    }
    assert len(named) > 8
    assert named <= known


@pytest.mark.parametrize("line", [line for line in OVER if not line.startswith("frostbyte ")])
def test_nothing_is_over_where_nobody_answers(line: str) -> None:
    nowhere = {"FROSTBYTE_URL": "http://127.0.0.1:9", "FROSTBYTE_CONTROL_URL": "http://127.0.0.1:9"}
    done = subprocess.run(["sh", "-c", line], env=os.environ | nowhere, capture_output=True, check=False)
    assert done.returncode != 0
