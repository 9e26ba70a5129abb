"""What `frostbyte doctor` and `frostbyte plane` say: one line for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from frostbyte.cli.output import out, safe, text


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line."""

    name: str
    level: Level
    message: str
    remedy: str = ""


MARKS: Final = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}
_NAME_WIDTH: Final = 20


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """For scripts: `finding LEVEL NAME MESSAGE REMEDY`, apart by tabs, - for an empty one."""
    for one in findings:
        yield "\t".join(safe(part) or "-" for part in ("finding", one.level.value, one.name, one.message, one.remedy))


def print_findings(findings: Iterable[Finding]) -> None:
    """For people: a line each, and below it what to do."""
    for one in findings:
        mark, style = MARKS[one.level]
        line = text(f"{mark} ", style) + text(f"{one.name:<{_NAME_WIDTH}}", "bold") + text(one.message)
        out().print(line, soft_wrap=True)
        if one.remedy:
            out().print(text(f"{'':<{_NAME_WIDTH + 2}}→ {one.remedy}", "dim"), soft_wrap=True)


def worst(findings: Iterable[Finding]) -> Level:
    """The worst of them."""
    levels = {one.level for one in findings}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)
