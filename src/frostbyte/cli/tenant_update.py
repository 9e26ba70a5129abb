"""`frostbyte tenant update`: a tenant that stands is brought to another version, or back to the old one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client
from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.following import wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, text

To = Annotated[str, typer.Option("--to", help="The version, such as 1.4.0.", show_default=False)]
Drain = Annotated[
    float | None,
    typer.Option("--drain", min=0, help="Seconds that work which was begun may take to end (300).", show_default=False),
]
Why = Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")]
STAGES = (
    "images",
    "room",
    "files",
    "closed",
    "frozen",
    "copied",
    "switched",
    "verified",
    "opened",
    "given_up",
    "recorded",
)


def update(
    tenant: Annotated[
        str,
        typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant, metavar="TENANT"),
    ],
    to: To,
    drain: Drain = None,
    reason: Why = "requested",
    waits: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or return at once.")] = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Bring a tenant to another version; if anything fails before it reopens, back to the old one with its data.

    Nothing is taken for some seconds to minutes. What an earlier update left half done is ended first.
    """
    with control_client(token) as client:
        operation = begun(client, tenant, to, drain, reason)
        if waits:
            operation = wait(client, operation, quiet=as_json, expected=STAGES)
    if as_json:
        print_json(operation)
    elif waits:
        out().print(text(f"{tenant}: ", "bold") + text(to, "green"))
    else:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")


def begun(client: Client, tenant: str, to: str, drain: float | None, reason: str) -> dict[str, Any]:
    """The operation, which the control plane has begun."""
    body = {"to": to, "reason": reason} | ({} if drain is None else {"drain_seconds": drain})
    operation: dict[str, Any] = changed(client, f"/tenants/{named(tenant)}/update", body)
    return operation
