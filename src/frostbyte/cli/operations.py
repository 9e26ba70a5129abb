"""Operations of tenants: begun, followed to their end, listed, shown step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.client import Client, segment
from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.following import wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, table, text
from frostbyte.cli.remains import print_remains
from frostbyte.control_plane.overview.words import said

STYLE: Final = {
    "ACTIVE": "green",
    "SUSPENDED": "yellow",
    "PROVISIONING": "cyan",
    "DEPROVISIONING": "cyan",
    "DEPROVISIONED": "dim",
    "FAILED": "bold red",
    "succeeded": "green",
    "running": "cyan",
    "failed": "red",
}


Tenant = Annotated[
    str, typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant, metavar="TENANT")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or return once it is begun.")]
Seen = Annotated[
    int | None,
    typer.Option("--version", help="Only if the tenant still has this version.", min=1, show_default=False),
]


def begin(
    tenant: str,
    command: str,
    body: dict[str, Any],
    *,
    version: int | None,
    waits: bool,
    as_json: bool,
    token: str | None,
    expected: Sequence[str] = (),
) -> None:
    """Begin an operation and follow it.

    Args:
        expected: steps that are known to come.
    """
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    with control_client(token) as client:
        operation = changed(client, f"/tenants/{named(tenant)}/{command}", body, headers)
        if waits:
            operation = followed(client, operation, as_json=as_json, expected=expected)
    if as_json:
        print_json(operation)
    elif waits:
        out().print(text(f"{tenant}: ", "bold") + outcome(operation))
    else:
        out().print(text("Begun. ", "green") + text(f"operation {operation['operation_id']}", "dim"))
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")


def followed(
    client: Client, operation: dict[str, Any], *, as_json: bool, expected: Sequence[str] = ()
) -> dict[str, Any]:
    """Follow an operation to its end. Where it fails, what remains of its tenant is said."""
    try:
        return wait(client, operation, quiet=as_json, expected=expected)
    except KeyboardInterrupt:
        err().print(text("It goes on without you.", "yellow"))
        hint(f"See how far it is: frostbyte tenant operations {operation['tenant_id']} {operation['operation_id']}")
        raise
    except CommandFailed:
        if not as_json:
            print_remains(client, operation["tenant_id"])
        raise


def outcome(operation: dict[str, Any]) -> Any:
    """How an operation ended, in one line."""
    line = text(f"{operation['kind']} ") + text(operation["status"], STYLE.get(operation["status"], ""))
    about = [operation["started_at"][:19].replace("T", " "), operation["actor"], operation["reason"], operation["code"]]
    return line + text("  " + ", ".join(part for part in about if part), "dim")


def operations(
    tenant: Annotated[
        str | None,
        typer.Argument(
            help="Only of this tenant.", show_default=False, autocompletion=complete_tenant, metavar="[TENANT]"
        ),
    ] = None,
    operation: Annotated[
        str | None, typer.Argument(help="Follow this one to its end.", show_default=False, metavar="[OPERATION]")
    ] = None,
    running: Annotated[bool, typer.Option("--running", help="Only those that have not ended.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 20,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """List operations, newest first; or show one step by step and follow it."""
    with control_client(token) as client:
        if operation is not None:
            _show_operation(client, operation, waits=waits, as_json=as_json)
            return
        asked = {"tenant_id": tenant, "running": "true" if running else None, "limit": limit}
        found = client.json("GET", "/operations", params=asked)
    if as_json:
        print_json(found)
        return
    if not found["operations"]:
        out().print(text("There is none."))
        return
    shown = table("=operation", "=tenant", "=what", "=status", "=began", "by, why, code")
    for row in found["operations"]:
        shown.add_row(
            text(row["operation_id"]),
            text(row["tenant_id"]),
            text(row["kind"]),
            text(row["status"], STYLE.get(row["status"], "")),
            text(row["started_at"][5:16].replace("T", " ")),
            text(", ".join(part for part in (row["actor"], row["reason"], row["code"]) if part)),
        )
    out().print(shown)
    if found["cursor"]:
        hint(f"There are more than {limit}: use --limit")


def _show_operation(client: Client, operation: str, *, waits: bool, as_json: bool) -> None:
    found = client.json("GET", f"/operations/{segment(operation)}")
    if waits and found["status"] == "running":
        followed(client, found, as_json=as_json)
        found = client.json("GET", f"/operations/{segment(operation)}")
    if as_json:
        print_json(found)
        return
    shown = table(">", "step", "status", "code", "at")
    for step in found["steps"]:
        shown.add_row(
            text(step["number"]),
            text(said(step["step"])),
            text(step["status"], STYLE.get(step["status"], "")),
            text(step["code"] or ""),
            text(step["at"][11:23]),
        )
    out().print(text(f"{found['tenant_id']}: ", "bold") + outcome(found))
    out().print(shown)
