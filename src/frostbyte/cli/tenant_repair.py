"""`frostbyte tenant repair`: what of a tenant's hosts is not as it was made is put right."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.control import changed, control_client, named
from frostbyte.cli.exits import Exit
from frostbyte.cli.following import wait
from frostbyte.cli.operations import Tenant, Wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, text


def repair(
    tenant: Tenant,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace",
            help="HOST to be replaced though it is there: gateway, db, worker-1, single. Repeat it.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a server is replaced.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Put right what of a tenant's hosts is not as it was made; say what a person has to.

    A server that is gone is replaced, with its volume. One that does not answer is switched off and on.

    Exit 3: something is left to a person.
    """
    with control_client(token) as client:
        if dry_run:
            _shown(client.json("GET", f"/tenants/{named(tenant)}/drift"), replace or [], as_json=as_json)
            return
        if replace and not yes:
            asked = f"Delete and make anew {', '.join(replace)} of {tenant}? Its volume stays."
            typer.confirm(asked, abort=True, err=True)
        body = {"replace": replace or [], "reason": reason}
        operation = changed(client, f"/tenants/{named(tenant)}/repair", body)
        if waits:
            operation = wait(client, operation, quiet=as_json)
            operation["steps"] = client.json("GET", f"/operations/{operation['operation_id']}")["steps"]
    if as_json:
        print_json(operation)
    elif not waits:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")
        return
    left = [line for step in operation.get("steps", ()) for line in (step["facts"].get("left") or ())]
    if not as_json:
        out().print(text(f"{tenant}: ", "bold") + text("repaired", "green"))
        for line in dict.fromkeys(left):
            err().print(text("! ", "yellow") + text(line))
    if left:
        raise typer.Exit(Exit.PROBLEMS)


def _shown(found: dict[str, Any], replace: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(found | {"replace": replace})
    for one in () if as_json else found["differences"]:
        mark = text("✓ ", "green") if one["mended"] else text("! ", "yellow")
        out().print(mark + text(f"{one['kind'].replace('_', ' ')} {one['name']}: {one['words']}"))
    for host in () if as_json else replace:
        out().print(text("✓ ", "green") + text(f"server {host}: it is taken away, and another is made in its place"))
    if not as_json and not found["differences"] and not replace:
        out().print(text("✓ ", "green") + text("Everything is as it was made; services would be seen to run."))
    if any(not one["mended"] for one in found["differences"]):
        raise typer.Exit(Exit.PROBLEMS)
