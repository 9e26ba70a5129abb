"""Runbooks as data: their sections, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy/observability/alerts.yml"
CONTROL_RULES: Final = ROOT / "deploy/observability/control-alerts.yml"
LEDGER_RULES: Final = ROOT / "deploy/observability/ledger.yml"
FOLDER: Final = ROOT / "docs/runbooks"


@dataclass(frozen=True)
class Section:
    """What one section says to type."""

    text: str
    commands: tuple[str, ...]
    over: tuple[str, ...]


def alerts(*files: Path) -> dict[str, dict[str, str]]:
    """Each alert's rule; of planes and of the control plane where no files are named."""
    groups = [group for file in files or (RULES, CONTROL_RULES) for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def pages() -> list[Path]:
    """All runbooks."""
    return sorted(path for path in FOLDER.rglob("*.md") if path.name != "README.md")


def anchor(title: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def sections(path: Path) -> dict[str, Section]:
    """By anchor."""
    found = {}
    for part in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        before, _, after = text.partition("**Over when**")
        found[anchor(title)] = Section(text, _lines(before), _lines(after))
    return found


def section(link: str) -> Section:
    """What a rule's link leads to."""
    file, _, name = link.partition("#")
    return sections(ROOT / file)[name]


def _lines(text: str) -> tuple[str, ...]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return tuple(line for block in blocks for line in block.splitlines() if line)
