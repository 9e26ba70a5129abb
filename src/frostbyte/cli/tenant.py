"""`frostbyte tenant`: tenants of the control plane, from the first entry to the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli import (
    tenant_backup,
    tenant_ending,
    tenant_receipt,
    tenant_refresh,
    tenant_repair,
    tenant_rotation,
    tenant_scale,
    tenant_update,
)
from frostbyte.cli.configuration import print_config, typed
from frostbyte.cli.control import changed, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.operations import STYLE, Seen, Tenant, Wait, begin, operations, outcome
from frostbyte.cli.options import AsJson, ControlToken, group
from frostbyte.cli.output import hint, out, print_json, table, text
from frostbyte.cli.provisioning import drift, plan, provision
from frostbyte.cli.remains import print_remains
from frostbyte.cli.tenant_credentials import credentials
from frostbyte.cli.tenant_health import health
from frostbyte.cli.tenant_history import history
from frostbyte.cli.tenant_hosts import hosts

app = group("Tenants: made, taken into service, stopped, resumed, closed.")
app.command("health")(health)
app.command("history")(history)
app.command("hosts")(hosts)
app.command("credentials")(credentials)
app.command("scale")(tenant_scale.scale)
app.command("repair")(tenant_repair.repair)
app.command("rotate-keys")(tenant_rotation.rotate)
app.command("backup")(tenant_backup.backup)
app.command("backups")(tenant_backup.backups)
app.command("restore")(tenant_backup.restore)
app.command("update")(tenant_update.update)
app.command("refresh")(tenant_refresh.refresh)
app.command("receipt")(tenant_receipt.receipt)
app.command("confirm-recovery-destroyed")(tenant_receipt.confirm)
app.command("verify-receipt")(tenant_receipt.verify)
app.command("plan")(plan)
app.command("provision")(provision)
app.command("drift")(drift)
app.command("operations")(operations)

STATES: Final = ("PENDING", "PROVISIONING", "ACTIVE", "SUSPENDED", "DEPROVISIONING", "DEPROVISIONED", "FAILED")
REASONS: Final = ("payment", "incident", "maintenance", "requested", "legal")
"""Offered for completion; any code of small letters, digits, '_' and '.' will do."""


def _among(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Completion by a few words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        "-r",
        help=f"A code for the audit: {', '.join(REASONS)} ...",
        prompt="Reason (a code such as payment)",
        autocompletion=_among(REASONS),
    ),
]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", help="The tenant's name once more; else it is asked for.", show_default=False),
]
Destroy = Annotated[
    bool,
    typer.Option("--destroy-data", help="Destroy its volume too; else that stays, and is paid for."),
]
Known = Annotated[
    str,
    typer.Option("--reason", "-r", help="A code for the audit.", autocompletion=_among(REASONS)),
]


@app.command("create")
def create(
    tenant: Annotated[str, typer.Argument(help="1 to 32 small letters and digits; for ever.", show_default=False)],
    project: Annotated[str, typer.Option("--project", "-p", help="The project it belongs to.", show_default=False)],
    octet: Annotated[
        int | None,
        typer.Option(
            "--octet", min=1, max=254, help="Of its network 10.OCTET.0.0/16; else the lowest free.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE of its configuration; may be repeated.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Enter a tenant into the register. It gets a network; its hosts are made afterwards."""
    values = typed(settings, _defaults()) if settings else {}
    with control_client(token) as client:
        body = {"tenant_id": tenant, "project_id": project, "octet": octet, "config": values}
        made = changed(client, "/tenants", body)
    if as_json:
        print_json(made)
        return
    out().print(text("Made ", "green") + text(made["tenant_id"], "bold") + text(f", network {made['network']}", "dim"))
    hint(f"What it will be: frostbyte tenant plan {made['tenant_id']}")


@app.command("list")
def show_all(
    state: Annotated[
        str | None,
        typer.Option("--state", help=f"One of {', '.join(STATES)}.", autocompletion=_among(STATES), show_default=False),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only of this project.", show_default=False)
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Only names that begin so.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
    after: Annotated[
        str | None, typer.Option("--after", help="Go on where a page ended (its cursor).", show_default=False)
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """List tenants by name."""
    asked = {
        "state": state.upper() if state else None,
        "project_id": project,
        "prefix": prefix,
        "limit": limit,
        "cursor": after,
    }
    with control_client(token) as client:
        found = client.json("GET", "/tenants", params=asked)
    if as_json:
        print_json(found)
        return
    if not found["tenants"]:
        out().print(text("There is no such tenant."))
        return
    shown = table("=tenant", "project", "state", "plane", "network", ">config", "changed")
    for row in found["tenants"]:
        shown.add_row(
            text(row["tenant_id"]),
            text(row["project_id"]),
            _state(row),
            text(_plane(row)),
            text(row["network"] or ""),
            text(row["config_version"]),
            text(row["updated_at"][:16].replace("T", " ")),
        )
    out().print(shown)
    if found["cursor"]:
        hint(f"There are more: --after {found['cursor']}")


def _state(row: dict[str, Any]) -> Any:
    failed = f" ({row['failed']})" if row["failed"] else ""
    return text(row["state"] + failed, STYLE.get(row["state"], ""))


def _plane(row: dict[str, Any]) -> str:
    """What the plane knows of what it was told."""
    standing = row["standing"]
    if standing is None:
        return "never asked"
    if standing["code"]:
        return str(standing["code"])
    informed = "informed" if standing["acknowledged_version"] >= row["standing_version"] else "not informed yet"
    holds = standing.get("holds", 0)  # none by a control plane of an earlier version
    return f"{informed}, {holds} legal hold{'s' * (holds != 1)}" if holds else informed


@app.command("show")
def show(tenant: Tenant, as_json: AsJson = False, token: ControlToken = None) -> None:
    """Show one tenant: where it stands, how it is reached, what was done last, what can be done."""
    with control_client(token) as client:
        found = client.json("GET", f"/tenants/{named(tenant)}")
        if found["state"] == "FAILED" and not as_json:
            print_remains(client, tenant)
    if as_json:
        print_json(found)
        return
    shown = table("field", "value")
    shown.add_row(text("tenant"), text(found["tenant_id"], "bold"))
    shown.add_row(text("state"), _state(found))
    shown.add_row(text("plane"), text(_plane(found)))
    for name in ("project_id", "network", "version", "config_version", "created_at", "updated_at"):
        shown.add_row(text(name.replace("_", " ").removesuffix(" id")), text(found[name] or ""))
    for name, value in (found["endpoints"] or {}).items():
        shown.add_row(text(name.replace("_", " ")), text(value))
    out().print(shown)
    last = found["operation"]
    if last:
        out().print(text("last     ") + outcome(last))
    hint(f"Possible now: {', '.join(found['possible']) or 'nothing'}")


@app.command("config")
def config(
    tenant: Tenant,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What to change.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Show this version.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show a tenant's configuration, or change it: a new version.

    A list is written with commas: pii_types=SSN,EMAIL
    """
    path = f"/tenants/{named(tenant)}/config"
    with control_client(token) as client:
        if changes and version is not None:
            raise CommandFailed(
                "change_of_old_version", "An old version cannot be changed.", "Leave out --version, or the changes."
            )
        answer = client.answer("GET", path, params={"version": version})
        found = answer.json()
        if changes:
            wanted = typed(changes, found["values"])
            found = client.json("PUT", path, body=wanted, headers={"If-Match": answer.headers.get("ETag", "")})
    if as_json:
        print_json(found)
    else:
        print_config(found)
        if changes:
            hint("Its plane has it with its next lease, within half a minute.")


@app.command("attach")
def attach(
    tenant: Tenant,
    gateway_url: Annotated[
        str, typer.Option("--gateway-url", help="Where the edge finds its gateway.", show_default=False)
    ],
    channel_url: Annotated[str, typer.Option("--channel-url", help="Its control channel, https.", show_default=False)],
    log_key: Annotated[
        str, typer.Option("--log-key", help="Verifier key of its log, or a file with it.", show_default=False)
    ],
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file",
            help="Certificate of its authority; else the one held here.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Take a tenant's plane into service, once it is proved to be that tenant's."""
    body = {
        "gateway_url": gateway_url,
        "channel_url": channel_url,
        "log_key": _key(log_key),
        "ca_pem": ca_file.read_text(encoding="ascii", errors="replace") if ca_file else "",
    }
    begin(tenant, "attach", body, version=version, waits=waits, as_json=as_json, token=token)


def _key(given: str) -> str:
    """The key, or what the file of this name holds."""
    if "+" in given or not Path(given).is_file():
        return given
    return Path(given).read_text(encoding="ascii", errors="replace").strip()


@app.command("suspend")
def suspend(
    tenant: Tenant,
    reason: Reason,
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Stop a tenant: within a second the edge refuses its requests; its plane stops working and keeps what it has."""
    begin(tenant, "suspend", {"reason": reason}, version=version, waits=waits, as_json=as_json, token=token)


@app.command("resume")
def resume(
    tenant: Tenant,
    reason: Reason,
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Let a suspended tenant run again; what waited goes on."""
    begin(tenant, "resume", {"reason": reason}, version=version, waits=waits, as_json=as_json, token=token)


@app.command("retry")
def retry(
    tenant: Tenant,
    reason: Annotated[
        str,
        typer.Option("--reason", "-r", help="A code for the audit; host_gone closes a tenant whose host is no more."),
    ] = "retry",
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Try again what failed."""
    begin(tenant, "retry", {"reason": reason}, version=version, waits=waits, as_json=as_json, token=token)


@app.command("abandon")
def abandon(
    tenant: Tenant,
    confirm: Confirm = None,
    destroy_data: Destroy = False,
    reason: Known = "requested",
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Give up a tenant that could not be taken into service: what remains is taken away. This cannot be undone."""
    body = {"confirm": _confirmed(tenant, confirm), "reason": reason, "destroy_data": destroy_data}
    begin(tenant, "abandon", body, version=version, waits=waits, as_json=as_json, token=token)


@app.command("deprovision")
def deprovision(
    tenant: Tenant,
    confirm: Confirm = None,
    destroy_data: Destroy = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be destroyed and what stands in the way; do nothing.")
    ] = False,
    reason: Known = "requested",
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Close a tenant for good: edge shut, plane closed, its log pulled a last time, its hosts taken away."""
    if dry_run:
        tenant_ending.show(tenant, token, destroy_data=destroy_data, as_json=as_json)
        return
    body = {"confirm": _confirmed(tenant, confirm), "reason": reason, "destroy_data": destroy_data}
    begin(tenant, "deprovision", body, version=version, waits=waits, as_json=as_json, token=token)


def _confirmed(tenant: str, given: str | None) -> str:
    """What the user gives as the tenant's name once more; the control plane compares."""
    if given is None:
        given = str(typer.prompt(f"This cannot be undone. Type the tenant's name ({tenant})", err=True))
    return given.strip()


def _defaults() -> dict[str, Any]:
    """A new tenant's configuration."""
    import msgspec

    from frostbyte.kernel.tenancy import TenantConfig

    defaults = msgspec.to_builtins(TenantConfig())
    assert isinstance(defaults, dict)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
