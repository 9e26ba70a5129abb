"""Settings of a tenant as people type and read them, at its plane and at the control plane."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.output import out, table, text


def typed(changes: Iterable[str], now: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed as KEY=VALUE, each value of the type that the setting has now.

    Raises:
        CommandFailed: `change_unreadable`, `setting_unknown` or `value_unreadable`.
    """
    wanted = dict(map(_pair, changes))
    if unknown := sorted(set(wanted) - set(now)):
        raise CommandFailed(
            "setting_unknown", f"There is no setting {unknown[0]}.", f"There are: {', '.join(sorted(now))}."
        )
    return {name: _typed(raw, now[name]) for name, raw in wanted.items()}


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise CommandFailed("change_unreadable", f"{given} is not KEY=VALUE.", "Write it like pii_policy=redact.")
    return name.strip(), value.strip()


def _typed(raw: str, now: Any) -> Any:
    if isinstance(now, list):
        return [item.strip() for item in raw.split(",") if item.strip()]
    if isinstance(now, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError as error:
        raise CommandFailed("value_unreadable", f"{raw} is not a number.", f"It is {now} now.") from error


def print_config(found: Mapping[str, Any]) -> None:
    """A version with its values."""
    by = text(f"  by {found['actor']}", "dim") if found.get("actor") else text("")
    out().print(text(f"version {found['version']}", "bold") + by)
    shown = table("setting", "value")
    for name, value in found["values"].items():
        shown.add_row(text(name), text(", ".join(map(str, value)) if isinstance(value, list) else value))
    out().print(shown)
