"""`frostbyte tenant history`: what happened to a tenant, or to the control plane itself, in sentences."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

import typer

from frostbyte.cli.ages import moment
from frostbyte.cli.control import complete_tenant, control_client, named
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, text

When = Annotated[str | None, typer.Option("--since", help="Nothing older: 2026-03-01, or with T14:00:00Z.")]
_MOST = 500
_PAGE = _MOST


def history(
    tenant: Annotated[
        str | None,
        typer.Argument(
            help="One tenant; else the control plane itself.", show_default=False, autocompletion=complete_tenant
        ),
    ] = None,
    since: When = None,
    before: Annotated[str | None, typer.Option("--before", help="Nothing of this moment or later.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="The newest so many.")] = 50,
    whole: Annotated[bool, typer.Option("--all", help="From the beginning, or from --since on.")] = False,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Tell what happened, in sentences: who did what and why, what failed on the way, how long it took."""
    path = f"/tenants/{named(tenant)}/history" if tenant else "/history"
    asked: dict[str, Any] = {"since": _moment(since), "before": _moment(before), "limit": _PAGE if whole else limit}
    with control_client(token) as client:
        found = client.json("GET", path, params=asked)
        lines = list(found["lines"])
        while whole and found["before"]:
            found = client.json("GET", path, params=asked | {"before": found["before"]})
            lines = found["lines"] + lines
    if as_json:
        print_json(found | {"lines": lines})
        return
    if not lines:
        out().print(text("Nothing happened."))
        return
    day = ""
    for line in lines:
        if line["at"][:10] != day:
            day = line["at"][:10]
            out().print(text(day, "bold"))
        style = "red" if line["code"] else ""
        out().print(text(f"  {line['at'][11:19]}  ", "dim") + text(line["sentence"], style), soft_wrap=True)
    if found["before"]:
        hint(f"There is more: --before {found['before']}, or --all")
    if tenant and not found["plane_told"]:
        hint("What its plane's own log says is shown to auditors.")


def _moment(given: str | None) -> str | None:
    """As the API takes it. Raises CommandFailed("age_date")."""
    found = moment(given or "")
    return None if found is None else f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
