"""`frostbyte tenant backup|backups|restore`: a tenant's plane kept elsewhere, and put back as it was."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.control import changed, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.following import wait
from frostbyte.cli.operations import Tenant, Wait
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import count_text, hint, out, print_json, size_text, table, text

Reason = Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")]


def backup(
    tenant: Tenant,
    reason: Reason = "requested",
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Back a tenant's plane up now, and try the backup. The plane goes on working."""
    _begun(tenant, "backup", {"reason": reason}, "backed up", waits=waits, as_json=as_json, token=token)


def backups(tenant: Tenant, as_json: AsJson = False, token: ControlToken = None) -> None:
    """List a tenant's backups as the register knows them, newest first. Each was tried when it was taken."""
    with control_client(token) as client:
        found = client.json("GET", f"/tenants/{named(tenant)}/backups")
    if as_json:
        print_json(found)
        return
    rows = table("=snapshot", "time", ">documents", ">size", ">stored then", "trial restore")
    for one in found["backups"]:
        good = text(f"well, in {one['trial_seconds']:.1f} s", "green")
        rows.add_row(
            text(one["snapshot"] or "-"),
            text(one["started_at"][:19]),
            text("" if one["documents"] is None else f"{one['documents']:,}"),
            text("" if one["bytes"] is None else size_text(one["bytes"])),
            text("" if one["written"] is None else size_text(one["written"])),
            text(f"failed: {one['code']}", "red") if one["code"] else good,
        )
    out().print(rows)
    if not found["hours"]:
        hint("None is taken by itself: see docs/backups.md.")


def restore(
    tenant: Tenant,
    snapshot: Annotated[str, typer.Option("--snapshot", help="Its name; else the newest good one.")] = "",
    confirm: Annotated[
        str, typer.Option("--confirm", help="The tenant's name once more: what came since is taken away.")
    ] = "",
    give_up_present: Annotated[
        bool,
        typer.Option("--give-up-present", help="Do not back up what is there first: where it cannot be read any more."),
    ] = False,
    reason: Reason = "requested",
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Put a tenant's plane back as one of its backups has it. What was erased since stays erased.

    The backup is tried first, and what is there is backed up; then the plane stands still until it is replaced. If that
    fails, it is led back to what was there.
    """
    if confirm != tenant:
        raise CommandFailed(
            "confirmation_wrong",
            "This takes away what came after the backup, and what was typed is not the tenant's name.",
            f"frostbyte tenant restore {tenant} --confirm {tenant}",
        )
    body = {"snapshot": snapshot, "give_up_present": give_up_present, "confirmation": confirm, "reason": reason}
    _begun(tenant, "restore", body, "put back", waits=waits, as_json=as_json, token=token)


def _begun(
    tenant: str, what: str, body: dict[str, Any], done: str, *, waits: bool, as_json: bool, token: str | None
) -> None:
    with control_client(token) as client:
        operation = changed(client, f"/tenants/{named(tenant)}/{what}", body)
        if waits:
            operation = wait(client, operation, quiet=as_json)
            steps = client.json("GET", f"/operations/{operation['operation_id']}")["steps"]
    if as_json:
        print_json(operation)
    elif waits:
        told = (step["facts"] for step in reversed(steps) if step["facts"].get("documents") is not None)
        facts: dict[str, Any] = next(told, {})
        count = f", {count_text(facts['documents'], 'document')}" if facts else ""
        name = f" ({facts['snapshot']}{count})" if facts else ""
        out().print(text(f"{tenant}: ", "bold") + text(done, "green") + text(name))
    else:
        hint(f"Follow it: frostbyte tenant operations {tenant} {operation['operation_id']}")
