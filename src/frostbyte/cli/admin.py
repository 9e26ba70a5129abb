"""`frostbyte config`: what the plane does."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import out, print_json, table, text

config = group("The tenant's configuration.")


@config.command("show")
def show_config(as_json: AsJson = False, token: Token = None) -> None:
    """Show the configuration in force."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/config")
    _print_config(found, as_json=as_json)


@config.command("set")
def set_config(
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What to change.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Change the configuration: a new version, which judges what is processed from now on.

    A list is written with commas: pii_types=SSN,EMAIL
    """
    parsed = dict(map(_pair, changes))
    with Client(find_token(token)) as client:
        answer = client.answer("GET", "/config")
        found = answer.json()
        values = found["values"]
        unknown = sorted(set(parsed) - set(values))
        if unknown:
            raise CommandFailed(
                "setting_unknown", f"There is no setting {unknown[0]}.", f"There are: {', '.join(sorted(values))}."
            )
        wanted = {name: _typed(raw, values[name]) for name, raw in parsed.items()}
        version = answer.headers.get("ETag") or f'"{found["version"]}"'
        changed = client.json("PUT", "/config", body=wanted, headers={"If-Match": version})
    _print_config(changed, as_json=as_json)


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise CommandFailed("change_unreadable", f"{given} is not KEY=VALUE.", "Write it like pii_policy=redact.")
    return name.strip(), value.strip()


def _typed(raw: str, now: Any) -> Any:
    """What was typed, as the type that the setting has now."""
    if isinstance(now, list):
        return [item.strip() for item in raw.split(",") if item.strip()]
    if isinstance(now, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError as error:
        raise CommandFailed("value_unreadable", f"{raw} is not a number.", f"It is {now} now.") from error


def _print_config(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out().print(text(f"version {found['version']}", "bold"))
    shown = table("setting", "value")
    for name, value in found["values"].items():
        shown.add_row(text(name), text(", ".join(map(str, value)) if isinstance(value, list) else value))
    out().print(shown)
