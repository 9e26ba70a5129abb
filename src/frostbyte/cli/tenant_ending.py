"""`frostbyte tenant deprovision --dry-run`: what would be destroyed, what would stay, what stands in the way."""

from __future__ import annotations

from typing import Any, Final

import typer

from frostbyte.cli.control import control_client, named
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import err, hint, out, print_json, table, text

_SECRET: Final = {"secrets": "sealed secrets and their identity", "certificates": "its authority and certificates"}
"""Steps without anything at the cloud that are destroyed all the same."""


def show(tenant: str, token: str | None, *, destroy_data: bool, as_json: bool) -> None:
    """Ask and show. Exit 3: it would be refused as things are. Nothing is changed."""
    with control_client(token) as client:
        path = f"/tenants/{named(tenant)}/ending"
        found: dict[str, Any] = client.json("GET", path, params={"destroy_data": "true" if destroy_data else None})
    if as_json:
        print_json(found)
    else:
        _print(tenant, found)
    if found["problems"]:
        raise typer.Exit(Exit.PROBLEMS)


def _print(tenant: str, found: dict[str, Any]) -> None:
    shown = table("=name", "kind", "=id", "what")
    rows = [(row, "destroyed", "red") for row in found["destroyed"]]
    rows += [(row, "stays, and is paid for", "yellow") for row in found["kept"]]
    rows = [row for row in rows if row[0]["kind"] or row[0]["step"] in _SECRET]
    for row, what, style in rows:
        kind = row["kind"] or _SECRET[row["step"]]
        words = (row["name"] or tenant, kind.replace("_", " "), row["resource_id"] or "")
        shown.add_row(*map(text, words), text(what, style))
    if rows:
        out().print(shown)
    else:
        out().print(text(f"{tenant} has no hosts of ours: its edge is shut and its plane closed, no more."))
    holds = found["holds"]
    said = "unknown: its plane never said" if holds is None else str(holds) if holds else "none"
    out().print(text("Legal holds  ", "bold") + text(said, "yellow" if holds else ""))
    for problem in found["problems"]:
        err().print(text("✗ ", "bold red") + text(problem["message"]), soft_wrap=True)
        err().print(text("  try ", "bold green") + text(problem["remedy"]), soft_wrap=True)
    hint("Nothing was changed. Without --dry-run its edge is shut first, and its log pulled a last time.")
