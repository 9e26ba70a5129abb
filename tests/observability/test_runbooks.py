"""Every alert leads to a section that says enough, and what the sections say to type can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import click
import pytest
import typer

from frostbyte.cli.app import app
from observability.runbooks import FOLDER, alerts, section, sections

ALERTS = alerts()
TYPED = sorted(
    {line for path in FOLDER.glob("*.md") for part in sections(path).values() for line in part.commands + part.over}
)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_symptom_impact_commands_and_its_end(name: str) -> None:
    found = section(ALERTS[name]["annotations"]["runbook"])  # type: ignore[index, call-overload]
    assert f"`{name}`" in found.text
    for word in ("**Symptom.**", "**Impact.**", "**Commands.**", "**Over when**"):
        assert word in found.text, word
    assert found.commands
    assert found.over


def test_every_section_belongs_to_an_alert_and_every_link_leads_somewhere() -> None:
    linked = {rule["annotations"]["runbook"].split("#")[1] for rule in ALERTS.values()}  # type: ignore[index, call-overload]
    written = {name for path in FOLDER.glob("*.md") if path.name != "README.md" for name in sections(path)}
    assert written == linked
    for path in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), target


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
