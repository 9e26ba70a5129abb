"""`frostbyte ledger`: every plane's audit as the control plane verified and kept it."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken, group
from frostbyte.cli.output import hint, out, print_json, table, text
from frostbyte.cli.proof import read_key, require_file

app = group("The ledger: every plane's audit, verified, cosigned and kept.")
Tenant = Annotated[str | None, typer.Option("--tenant", help="Of this tenant only.", autocompletion=complete_tenant)]
OneTenant = Annotated[
    str, typer.Option("--tenant", help="Whose log.", autocompletion=complete_tenant, show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Go on where the page before ended.")]


@app.command("status")
def status(limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False, token: ControlToken = None) -> None:
    """Show how far each log is verified. Exit code 6 where one is stopped by a finding."""
    with control_client(token) as client:
        found = client.json("GET", "/audit/logs", params={"limit": limit, "cursor": cursor})
    stopped = [row for row in found["logs"] if row["finding"]]
    if as_json:
        print_json(found)
    else:
        shown = table("=tenant", ">verified", ">signed", ">behind", "state")
        for row in found["logs"]:
            behind = "never held" if row["lag_seconds"] is None else f"{row['lag_seconds']:.0f} s"
            state = row["finding"] or row["code"] or "ok"
            shown.add_row(
                text(row["tenant_id"]),
                text(f"{row['size']:,}"),
                text(f"{row['plane_size']:,}"),
                text(behind),
                text(state, "red" if row["finding"] else ""),
            )
        out().print(shown)
        _more("status", found)
        if stopped:
            hint("What was found: frostbyte ledger alerts --open")
    if stopped:
        raise typer.Exit(int(Exit.VERIFICATION_FAILED))


@app.command("events")
def events(
    tenant: Tenant = None,
    document: Annotated[
        str | None, typer.Option("--document", help="Of this document, or whatever has this id.")
    ] = None,
    type: Annotated[str | None, typer.Option("--type", help="Of this type, such as DOCUMENT_ERASED.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 2026-03-02T09:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Up to then.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """List verified events, log by log."""
    asked = {
        "tenant_id": tenant,
        "resource_id": document,
        "type": type,
        "since": since,
        "until": until,
        "limit": limit,
        "cursor": cursor,
    }
    with control_client(token) as client:
        found = client.json("GET", "/audit/events", params=asked)
    if as_json:
        print_json(found)
        return
    shown = table("=tenant", ">#", "time", "type", "resource")
    for item in found["events"]:
        event = item["event"]
        shown.add_row(
            text(event["tenant_id"]),
            text(item["sequence"]),
            text(event["timestamp"][:19].replace("T", " ")),
            text(event["type"]),
            text(f"{event['resource_type']} {event['resource_id']}"),
        )
    out().print(shown)
    _more("events", found)


@app.command("alerts")
def alerts(
    alert: Annotated[UUID | None, typer.Argument(help="Show this one with what shows it.", show_default=False)] = None,
    tenant: Tenant = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that nobody has acknowledged.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """List what was found wrong, the newest first, or show one with its evidence."""
    with control_client(token) as client:
        if alert is not None:
            one = client.json("GET", f"/audit/alerts/{alert}")
            if as_json:
                print_json(one)
            else:
                out().print(text(f"{one['finding']} of {one['tenant_id']}: {one['message']}"))
                out().print(text(one["evidence"], lines=True), soft_wrap=True)
            return
        asked = {"tenant_id": tenant, "open": only_open, "limit": limit, "cursor": cursor}
        found = client.json("GET", "/audit/alerts", params=asked)
    if as_json:
        print_json(found)
        return
    if not found["alerts"]:
        out().print(text("There is none."))
        return
    shown = table("=alert", "tenant", "finding", "since", "ended")
    for row in found["alerts"]:
        shown.add_row(
            text(row["alert_id"]),
            text(row["tenant_id"]),
            text(row["finding"]),
            text(row["raised_at"][:19].replace("T", " ")),
            text(f"{row['reason']} ({row['ended_by']})" if row["ended_at"] else "open"),
        )
    out().print(shown)
    _more("alerts", found)


@app.command("acknowledge")
def acknowledge(
    alert: Annotated[UUID, typer.Argument(help="Its id.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="A word such as looked_into: it is audited.")] = "looked_into",
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Take notice of an alert: its log is tried again from where it stopped."""
    with control_client(token) as client:
        ended = changed(client, f"/audit/alerts/{alert}/acknowledge", {"reason": reason})
    if as_json:
        print_json(ended)
    else:
        out().print(text(f"Acknowledged: {ended['finding']} of {ended['tenant_id']}. It is tried again now."))
        hint("If it still does not hold, there will be another alert: frostbyte ledger alerts --open")


@app.command("export")
def export(
    tenant: OneTenant,
    output: Annotated[Path, typer.Option("-o", "--output", help="The archive to write.")] = Path("ledger_export.tar"),
    first: Annotated[int, typer.Option("--first", min=0, help="Number of the first event.")] = 0,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Write a tenant's log as an archive that anyone can check, with the ledger's cosignatures in it."""
    part = output.with_name(output.name + ".part")
    route = f"/audit/export?tenant_id={named(tenant)}&first={first}"
    with control_client(token) as client, client.stream("GET", route) as response:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for block in response.iter_bytes():
                file.write(block)
    part.replace(output)
    if as_json:
        print_json({"file": str(output), "bytes": output.stat().st_size})
    else:
        out().print(text(f"The log is in {output} ({output.stat().st_size:,} bytes)."))
        hint(f"Check it with: frostbyte audit verify {output} --key KEYFILE --witness LEDGERKEY")


@app.command("import")
def take(
    path: Annotated[Path, typer.Argument(help="What `frostbyte audit export` wrote: archive or folder.")],
    tenant: OneTenant,
    key: Annotated[str, typer.Option("--key", help="The log's verifier key, or a file with it, got by another way.")],
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Take an offline plane's export in: verified, continued, or refused. Exit code 6 where something was found."""
    require_file(path)
    asked = {"tenant_id": named(tenant), "log_key": read_key(key)}
    with control_client(token) as client, _archive(path) as archive, archive.open("rb") as content:
        headers = {"Content-Length": str(archive.stat().st_size)}
        taken: dict[str, Any] = client.json("POST", "/audit/import", params=asked, content=content, headers=headers)
    if as_json:
        print_json(taken)
    elif taken["finding"]:
        out().print(text(f"It does not hold: {taken['finding']}. Nothing was taken from there on.", "red"))
        hint("What shows it: frostbyte ledger alerts --open")
    else:
        out().print(text(f"Took {taken['added']:,} events; {taken['identical']:,} were there already, and the same."))
    if taken["finding"]:
        raise typer.Exit(int(Exit.VERIFICATION_FAILED))


@contextmanager
def _archive(path: Path) -> Iterator[Path]:
    """The archive itself, or a folder packed into one."""
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="frostbyte-import-") as name:
        packed = Path(name) / "export.tar"
        try:
            with tarfile.open(packed, "w") as archive:
                for file in ("manifest.json", "audit_export.jsonl", "audit_leaves.bin"):
                    archive.add(path / file, file)
        except OSError as error:
            raise CommandFailed(
                "export_unreadable", "The folder does not hold an export.", "Give what `audit export` wrote."
            ) from error
        yield packed


def _more(command: str, found: dict[str, Any]) -> None:
    if found["cursor"]:
        hint(f"More: frostbyte ledger {command} --cursor {found['cursor']}")
