"""`frostbyte tenant scale`: other hosts for a tenant that works."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from frostbyte.cli import provisioning
from frostbyte.cli.control import changed, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.following import wait
from frostbyte.cli.operations import Tenant, Wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, text

_PANEL: Final = "What it is to have (what is left out stays as it is)"


def _type(role: str, what: str) -> Any:
    return typer.Option(
        f"--{role}-type",
        help=f"TYPE,TYPE: server types of {what}, best first.",
        show_default=False,
        rich_help_panel=_PANEL,
    )


def scale(
    tenant: Tenant,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Servers for workers.", show_default=False, rich_help_panel=_PANEL),
    ] = None,
    gateway_type: Annotated[str | None, _type("gateway", "the gateway")] = None,
    worker_type: Annotated[str | None, _type("worker", "its workers")] = None,
    db_type: Annotated[str | None, _type("db", "its database")] = None,
    single_type: Annotated[str | None, _type("single", "a tenant's only server")] = None,
    volume_gb: Annotated[
        int | None,
        typer.Option(
            "--volume-gb",
            min=10,
            help="Size of its volume; none becomes smaller.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option("--shape", help="standard: servers of their own.", show_default=False, rich_help_panel=_PANEL),
    ] = None,
    ways_out: Annotated[
        bool,
        typer.Option(
            "--ways-out", help="Let out what its configuration names by now (webhook_hosts).", rich_help_panel=_PANEL
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; it may cost money.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Give a tenant that works more or fewer workers, other server types, a larger volume, or servers of their own.

    A worker that leaves ends what it works on first. A server that becomes another type is switched off for it; where
    that fails everything becomes again what it was.
    """
    types = {"gateway": gateway_type, "worker": worker_type, "db": db_type, "single": single_type}
    said = {
        "workers": workers,
        "types": {role: names.split(",") for role, names in types.items() if names} or None,
        "volume_gb": volume_gb,
        "shape": shape,
    }
    body = {name: value for name, value in said.items() if value is not None}
    if not body and not ways_out:
        raise CommandFailed(
            "scale_changes_nothing",
            "Nothing says what is to be otherwise.",
            "Say --workers, --db-type, --volume-gb or another of its options; --help lists them.",
            exit_code=Exit.USAGE,
        )
    made = provisioning.planned(tenant, body, token)
    if dry_run:
        provisioning.show(made, as_json=as_json)
        return
    if not as_json:
        provisioning.print_plan(made)
    if not yes and not made["problems"]:
        provisioning.confirm(tenant, made)
    expected = ["plan", *(step["step"] for step in made["steps"] if step["standing"] != "done")]
    with control_client(token) as client:
        operation = changed(client, f"/tenants/{named(tenant)}/scale", {**body, "reason": reason})
        if waits:
            operation = wait(client, operation, quiet=as_json, expected=expected)
    if as_json:
        print_json(operation)
    elif waits:
        out().print(text(f"{tenant}: ", "bold") + text("scaled", "green"))
    else:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")
