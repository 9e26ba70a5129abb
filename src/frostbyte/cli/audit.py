"""`frostbyte audit`: the log, its checkpoints, and checking it away from the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.client import Client, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text
from frostbyte.cli.proof import read_key, read_keys, require_file, show_verdict

app = group("The audit log: read, export, check it anywhere.")

Log = Annotated[int | None, typer.Option("--log", min=0, help="Number of a log, of a restored plane: `audit logs`.")]


@app.command("logs")
def logs(as_json: AsJson = False, token: Token = None) -> None:
    """List the plane's logs: one, unless it was restored; those before the last have ended."""
    with Client(find_token(token)) as client:
        page = client.json("GET", "/audit/logs")
    if as_json:
        print_json(page)
        return
    shown = table(">#", "ended", ">events", "verifier key")
    for item in page["logs"]:
        size = (item["checkpoint"] or "\n0\n").split("\n")[1]
        ended = str(item["ended_at"] or "grows")[:19].replace("T", " ")
        shown.add_row(text(item["log"]), text(ended), text(size), text(item["public_key"]))
    out().print(shown)


@app.command("events")
def events(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Events at most.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on where the page before ended.")] = None,
    log: Log = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """List events in the order of the log."""
    with Client(find_token(token)) as client:
        page = client.json("GET", "/audit/events", params={"limit": limit, "cursor": cursor, "log": log})
    if as_json:
        print_json(page)
        return
    shown = table(">#", "time", "type", "resource", "status")
    for item in page["events"]:
        event = item.get("event", item)
        shown.add_row(
            text(item.get("sequence", "")),
            text(str(event["timestamp"])[:19].replace("T", " ")),
            text(event["type"]),
            text(f"{event['resource_type']} {event['resource_id']}"),
            text((event.get("details") or {}).get("status", "")),
        )
    out().print(shown)
    if following := page.get("next_cursor"):
        hint(f"More: frostbyte audit events --cursor {following}")


@app.command("checkpoint")
def checkpoint(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Keep it here for `audit verify --since`.")
    ] = None,
    key_output: Annotated[Path | None, typer.Option("--key", help="Also write the log's verifier key here.")] = None,
    log: Log = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show the newest signed checkpoint: kept elsewhere, it shows later that nothing was taken back."""
    with Client(find_token(token)) as client:
        page = client.json("GET", "/audit/checkpoints", params={"limit": 1, "log": log})
    if not page["latest"]:
        raise CommandFailed(
            "no_checkpoint",
            "No checkpoint was signed yet.",
            "Try again in a second.",
            exit_code=Exit.UNAVAILABLE,
        )
    note = str(page["latest"])
    if output is not None:
        output.write_text(note, encoding="utf-8")
    if key_output is not None:
        key_output.write_text(str(page["public_key"]) + "\n", encoding="utf-8")
    if as_json:
        print_json({"checkpoint": note, "public_key": page["public_key"]})
        return
    out().print(text(note.rstrip("\n"), lines=True), soft_wrap=True)
    if output is not None:
        hint(f"Kept in {output}")
    if key_output is not None:
        hint(f"The verifier key is in {key_output}. Whoever checks should have it by a way that is not this server.")


@app.command("export")
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="The archive to write.")] = Path("audit_export.tar"),
    first: Annotated[int | None, typer.Option("--first", min=0, help="Number of the first event.")] = None,
    log: Log = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Write the log as an archive that anyone can check: audit_export.jsonl, leaves, manifest."""
    body = {name: value for name, value in (("first", first), ("log", log)) if value is not None}
    part = output.with_name(output.name + ".part")
    with Client(find_token(token)) as client, client.stream("POST", "/audit/export", body=body) as response:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for block in response.iter_bytes():
                file.write(block)
    part.replace(output)
    if as_json:
        print_json({"file": str(output), "bytes": output.stat().st_size})
    else:
        out().print(text(f"The log is in {output} ({output.stat().st_size:,} bytes)."))
        hint(f"Check it with: frostbyte audit verify {output} --key KEYFILE")


@app.command("verify")
def verify(
    path: Annotated[Path, typer.Argument(help="The archive, or a folder with its files.", show_default=False)],
    key: Annotated[
        str | None, typer.Option("--key", help="The log's verifier key, or a file with it, got by another way.")
    ] = None,
    since: Annotated[Path | None, typer.Option("--since", help="A checkpoint that you kept from before.")] = None,
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="Key of a witness that must have signed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an export: edits, cuts, reordering, insertions and forks are named. Needs no server."""
    from frostbyte.cli import verifier

    require_file(path)
    require_file(since)
    try:
        verdict = verifier.verify_export(path, read_key(key), since, read_keys(witness))
    except verifier.Unreadable as error:
        raise CommandFailed(
            "export_unreadable", f"It cannot be checked: {error}.", "Check the key, or export it again."
        ) from error
    show_verdict(verdict, as_json=as_json)
