"""`frostbyte config`: what the plane does."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token
from frostbyte.cli.configuration import print_config, typed
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import print_json

config = group("The tenant's configuration.")


@config.command("show")
def show_config(as_json: AsJson = False, token: Token = None) -> None:
    """Show the configuration in force."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/config")
    _show(found, as_json=as_json)


@config.command("set")
def set_config(
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What to change.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Change the configuration: a new version, which judges what is processed from now on.

    A list is written with commas: pii_types=SSN,EMAIL
    """
    with Client(find_token(token)) as client:
        answer = client.answer("GET", "/config")
        found = answer.json()
        version = answer.headers.get("ETag") or f'"{found["version"]}"'
        wanted = typed(changes, found["values"])
        changed = client.json("PUT", "/config", body=wanted, headers={"If-Match": version})
    _show(changed, as_json=as_json)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_config(found)
