"""`frostbyte tenant refresh`: a set that was taken, brought to one tenant."""

from __future__ import annotations

from typing import Annotated

import typer

from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.following import wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, text


def refresh(
    tenant: Annotated[
        str,
        typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant, metavar="TENANT"),
    ],
    supply: Annotated[str, typer.Option("--set", help="Id of a set that was taken.")],
    part: Annotated[
        list[str] | None, typer.Option("--part", help="signatures, packages or images; all if none is named.")
    ] = None,
    older: Annotated[bool, typer.Option("--older", help="Even where the tenant has a newer one.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    waits: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or return at once.")] = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Bring a tenant's hosts a set: signatures, packages, images. Looked at, and taken back if it is no good."""
    body = {"supply": supply, "parts": part or [], "older": older, "reason": reason}
    with control_client(token) as client:
        operation = changed(client, f"/tenants/{named(tenant)}/refresh", body)
        if waits:
            operation = wait(client, operation, quiet=as_json)
    if as_json:
        print_json(operation)
    elif waits:
        out().print(text(f"{tenant}: ", "bold") + text("fresh", "green"))
    else:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")
