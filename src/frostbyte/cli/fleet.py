"""`frostbyte fleet`: the versions of all tenants, and one version for all of them, one by one."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.client import Client
from frostbyte.cli.control import control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.following import wait
from frostbyte.cli.options import AsJson, ControlToken, group
from frostbyte.cli.output import err, hint, out, print_json, table, text
from frostbyte.cli.tenant_update import STAGES, Drain, To, Why, begun
from frostbyte.kernel.errors import FrostbyteError

app = group("All tenants: which version each runs, and one version for all of them.")
LOOK_SECONDS: Final = 5.0
"""Between two looks at how the canary is."""
PATIENCE_SECONDS: Final = 180.0
"""How much longer than it has to be well a canary may take to be seen well: it is looked at from outside."""


@app.command("list")
def listed(as_json: AsJson = False, token: ControlToken = None) -> None:
    """Show which version each tenant runs, and what is done to it now."""
    with control_client(token) as client:
        version, tenants = _fleet(client)
    if as_json:
        print_json({"version": version, "tenants": tenants})
        return
    shown = table("=tenant", "state", "version", "now", "last update")
    for one in tenants:
        shown.add_row(
            text(one["tenant_id"]),
            text(one["state"]),
            text(one["release"] or "attached by hand"),
            text(one["duty"]["kind"] if one["duty"] else "-"),
            text(_ended(one["updated"])),
        )
    out().print(shown)
    hint(f"The control plane is {version}.")


@app.command("update")
def update(
    to: To,
    canary: Annotated[
        str | None, typer.Option("--canary", help="The tenant to begin with; else the first.", show_default=False)
    ] = None,
    soak: Annotated[
        float, typer.Option("--soak", min=0, help="Seconds that the canary has to be well before the others follow.")
    ] = 60.0,
    drain: Drain = None,
    reason: Why = "requested",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who would be updated, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Bring all tenants to one version: a canary first, then the others one by one; the first failure stops it.

    Typed again it goes on: who runs the version is left alone. Exit 3: it was stopped.
    """
    with control_client(token) as client:
        _, tenants = _fleet(client)
        due = _due(tenants, to, canary)
        if dry_run or not due:
            _planned(due, tenants, to, as_json=as_json)
            return
        if not yes:
            _confirm(due, to)
        done: list[str] = []
        for number, one in enumerate(due):
            tenant = one["tenant_id"]
            try:
                _one(client, one, to, drain, reason, quiet=as_json)
                if number == 0 and len(due) > 1:
                    _well(client, tenant, soak)
            except FrostbyteError as error:
                _stopped(error, tenant, done, due, to)
            done.append(tenant)
            if not as_json:
                out().print(text(f"{tenant}: ", "bold") + text(to, "green") + text(f"  ({len(done)} of {len(due)})"))
    if as_json:
        print_json({"to": to, "updated": done})


def _fleet(client: Client) -> tuple[str, list[dict[str, Any]]]:
    """The control plane's version, and all tenants that stand."""
    found = client.json("GET", "/fleet")
    tenants = list(found["tenants"])
    while cursor := found["cursor"]:
        found = client.json("GET", "/fleet", params={"cursor": cursor})
        tenants += found["tenants"]
    return found["version"], tenants


def _due(tenants: list[dict[str, Any]], to: str, canary: str | None) -> list[dict[str, Any]]:
    """Who is to be updated, the canary first; what an update left half done is ended by the same command.

    Raises:
        CommandFailed: `canary_unknown`.
    """
    due = [one for one in tenants if one["release"] and (one["release"] != to or _left(one))]
    if canary is None:
        return due
    if named(canary) not in {one["tenant_id"] for one in tenants if one["release"]}:
        raise CommandFailed(
            "canary_unknown",
            f"{canary} is no tenant that stands on hosts of ours.",
            "`frostbyte fleet list` shows those that do.",
            exit_code=Exit.NOT_FOUND,
        )
    return sorted(due, key=lambda one: one["tenant_id"] != canary)


def _left(one: dict[str, Any]) -> bool:
    """Whether its newest update still runs, or could not be taken back."""
    newest = one["updated"]
    return newest is not None and (newest["status"] == "running" or newest["code"] == "upkeep_remains")


def _one(client: Client, one: dict[str, Any], to: str, drain: float | None, reason: str, *, quiet: bool) -> None:
    """Update one tenant. One whose update runs already, because this was typed before, is followed."""
    duty = one["duty"]
    if duty is not None and duty["kind"] == "update" and duty["request"].get("to") == to:
        operation = duty
    else:
        operation = begun(client, one["tenant_id"], to, drain, reason)
    wait(client, operation, quiet=quiet, expected=STAGES)


def _well(client: Client, tenant: str, soak: float) -> None:
    """See the canary well for so long, without a break.

    Raises:
        CommandFailed: `canary_unwell`.
    """
    since, gives_up = time.monotonic(), time.monotonic() + soak + PATIENCE_SECONDS
    if soak and err().is_terminal:
        hint(f"{tenant} has to be well for {soak:.0f} s before the others follow.")
    while time.monotonic() - since < soak:
        found = client.json("GET", f"/health/{named(tenant)}")
        if found["level"] == "critical":
            since = time.monotonic()
        if time.monotonic() > gives_up:
            codes = ", ".join(reason["code"] for reason in found["reasons"])
            raise CommandFailed(
                "canary_unwell",
                f"{tenant} was updated and is not well: {codes}.",
                f"frostbyte tenant health {tenant} says more. The others were not touched.",
                exit_code=Exit.PROBLEMS,
            )
        time.sleep(min(LOOK_SECONDS, soak))


def _stopped(error: FrostbyteError, tenant: str, done: list[str], due: list[dict[str, Any]], to: str) -> None:
    """Always raises CommandFailed: what happened, to whom, and how far it is."""
    left = len(due) - len(done) - 1
    raise CommandFailed(
        error.code,
        f"{tenant}: {error.message} {len(done)} of {len(due)} were updated before it, {left} were not touched.",
        f"{error.remedy} Then type the same command again: frostbyte fleet update --to {to}",
        exit_code=Exit.PROBLEMS,
    ) from error


def _planned(due: list[dict[str, Any]], tenants: list[dict[str, Any]], to: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"to": to, "updated": [], "due": [one["tenant_id"] for one in due]})
    elif not due:
        out().print(text(f"All {len(tenants)} tenants on hosts of ours run {to}.", "green"))
    else:
        for number, one in enumerate(due):
            out().print(text(f"{one['tenant_id']}: {one['release']} -> {to}{'  (canary)' if number == 0 else ''}"))


def _confirm(due: list[dict[str, Any]], to: str) -> None:
    if not sys.stdin.isatty():
        raise CommandFailed(
            "confirmation_missing",
            f"{len(due)} tenants would be updated to {to}, and nobody is there to be asked.",
            "Say --yes, or look at it first: --dry-run.",
        )
    if not typer.confirm(f"Update {len(due)} tenants to {to}, one by one, {due[0]['tenant_id']} first?", err=True):
        raise typer.Exit(Exit.REFUSED)


def _ended(operation: dict[str, Any] | None) -> str:
    if operation is None:
        return "-"
    to = operation["request"].get("to", "")
    return f"{to} {operation['status']}" + (f" ({operation['code']})" if operation["code"] else "")
