"""`frostbyte tenant health`: how every tenant is, and what to do about those that are not well."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from frostbyte.cli.control import complete_tenant, control_client, named
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, table, text

_STYLE: Final = {"ok": "green", "warn": "yellow", "critical": "bold red"}
LEVELS: Final = ("ok", "warn", "critical")


def health(
    tenant: Annotated[
        str | None,
        typer.Argument(help="One tenant; else all.", show_default=False, autocompletion=complete_tenant),
    ] = None,
    level: Annotated[str, typer.Option("--level", help=f"Only so bad or worse: {', '.join(LEVELS)}.")] = "ok",
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show how tenants are: edge, lease, ledger, storage, jobs, signatures, certificates. Exit 3: one is critical."""
    with control_client(token) as client:
        if tenant is not None:
            found = client.json("GET", f"/health/{named(tenant)}")
            tenants = [found]
        else:
            found = client.json("GET", "/health", params={"level": level})
            tenants = list(found["tenants"])
            while cursor := found.get("cursor"):
                found = client.json("GET", "/health", params={"level": level, "cursor": cursor})
                tenants += found["tenants"]
            found = found | {"tenants": tenants, "cursor": None}
    if as_json:
        print_json(found)
    else:
        _print(tenants)
    if any(item["level"] == "critical" for item in tenants):
        raise typer.Exit(Exit.PROBLEMS)


def _print(tenants: list[dict[str, Any]]) -> None:
    if not tenants:
        out().print(text("There is no such tenant."))
        return
    shown = table("=tenant", "state", "health", ">edge", ">answered", ">ledger", ">storage", ">oldest job", "model")
    for item in tenants:
        shown.add_row(
            text(item["tenant_id"]),
            text(item["state"]),
            text(item["level"], _STYLE[item["level"]]),
            text(_word(item["edge_status"])),
            text(_ago(item["answered_seconds"])),
            text(_ago(item["ledger_seconds"])),
            text(_share(item["stored_bytes"], item["quota_bytes"])),
            text(_ago(item["oldest_job_seconds"])),
            text(_word(item["model"])),
        )
    out().print(shown)
    for item in tenants:
        for reason in item["reasons"]:
            line = text(f"{item['tenant_id']}: ", "bold") + text(reason["message"], _STYLE[reason["level"]])
            out().print(line, soft_wrap=True)
            hint(f"  {reason['code']}: {reason['runbook']}")


def _word(value: object) -> str:
    return "-" if value is None else str(value)


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _share(used: int | None, quota: int | None) -> str:
    return f"{used / quota:.0%}" if used is not None and quota else "-"
