"""`frostbyte tenant rotate-keys`: a tenant's keys made anew while it works."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.following import wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, text

WHAT: Final = ("all", "age", "certificates", "credentials")


def rotate(
    tenant: Annotated[
        str,
        typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant, metavar="TENANT"),
    ],
    what: Annotated[str, typer.Option("--what", help=f"One of {', '.join(WHAT)}.")] = "all",
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    waits: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or return at once.")] = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Make a tenant's keys anew: the identity that seals its secrets, its hosts' certificates, its stores' credentials.

    Credentials take a pause of some seconds: the containers that enter with them are begun anew.
    """
    with control_client(token) as client:
        operation = changed(client, f"/tenants/{named(tenant)}/rotate-keys", {"what": what, "reason": reason})
        if waits:
            operation = wait(client, operation, quiet=as_json)
    if as_json:
        print_json(operation)
    elif waits:
        out().print(text(f"{tenant}: ", "bold") + text("rotated", "green"))
    else:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")
