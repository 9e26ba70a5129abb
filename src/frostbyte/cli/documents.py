"""`frostbyte status`, `erase`, `erasure`: what is in the plane, and how it leaves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token
from frostbyte.cli.output import hint, out, print_json, size_text, state_text, table, text
from frostbyte.data_plane.noted import told
from frostbyte.kernel.errors import FrostbyteError, Kind

FIELDS = (
    "doc_id", "title", "filename", "state", "stage", "code", "message", "remedy", "mime", "size", "received_at",
    "pages", "chunks", "withheld", "classification", "scan_verdict", "needs_review", "generation", "embedding", "links",
)  # fmt: skip
"""Order in which what is known of a document is shown; unknown fields follow."""


def status(
    subject: Annotated[
        str | None, typer.Argument(metavar="[DOC|BATCH]", help="A document's or a batch's id.", show_default=False)
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only documents in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Documents listed.")] = 50,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show the plane and its documents, one document, or one batch."""
    with Client(find_token(token)) as client:
        if subject is None:
            _plane(client, state, limit, as_json=as_json)
            return
        kind, found = _find(client, subject)
    if as_json:
        print_json(found)
    elif kind == "batch":
        _print_batch(found)
    else:
        _print_fields(found)


def _find(client: Client, subject: str) -> tuple[str, Any]:
    """Ids of batches are UUIDv7 and those of documents UUIDv8, so the likelier one is asked for first."""
    ways = [("batch", f"/ingest/{segment(subject)}"), ("document", f"/documents/{segment(subject)}")]
    if subject.strip()[14:15] == "8":
        ways.reverse()
    for kind, path in ways:
        try:
            return kind, client.json("GET", path)
        except FrostbyteError as error:
            if error.kind not in (Kind.NOT_FOUND, Kind.INVALID, Kind.FORBIDDEN):
                raise
    raise CommandFailed(
        "not_found", "There is no document and no batch with this id for this token.",
        "List documents with `frostbyte status`.", exit_code=Exit.NOT_FOUND,
    )  # fmt: skip


def _plane(client: Client, state: str | None, limit: int, *, as_json: bool) -> None:
    health = client.json("GET", "/health")
    page = client.json("GET", "/documents", params={"limit": limit, "state": state})
    if as_json:
        print_json({"health": health, **page})
        return
    console = out()
    line = text(f"plane of {health.get('tenant', '?')}", "bold")
    console.print(line + text(f"  {health.get('mode', '')}  version {health.get('version', '')}  {client.url}", "dim"))
    for note in health.get("warnings") or ():
        console.print(text(f"  ! {note}", "yellow"), soft_wrap=True)
    if stand_ins := health.get("stand_ins"):
        console.print(text(f"  ! Development stand-ins: {', '.join(map(str, stand_ins))}", "yellow"), soft_wrap=True)
    documents = page["documents"]
    if not documents:
        hint("No documents. Send some: frostbyte ingest FOLDER")
        return
    shown = table("=document", "file", "state", ">pages", ">passages", "=received")
    for item in documents:
        shown.add_row(
            text(item["doc_id"]),
            text(item.get("title") or item.get("filename") or ""),
            state_text(item["state"]),
            text(item.get("pages") or ""),
            text(item.get("chunks") or ""),
            text(str(item.get("received_at", ""))[:10]),
        )
    console.print(shown)
    if page.get("next_cursor") or page.get("cursor"):
        hint(f"More than {limit}: use --limit or --state")


def _print_batch(found: dict[str, Any]) -> None:
    out().print(text(f"batch {found['batch_id']}", "bold") + text(f"  sent {found['created_at']}", "dim"))
    done = found.get("completed_at")
    out().print(text(f"done {done}", "green") if done else text("not done yet", "yellow"))
    shown = table("file", "state", "stage or reason", ">size", "=document")
    for item in (*found["documents"], *found.get("rejected", ())):
        state = item.get("state") or "rejected"
        shown.add_row(
            text(item["filename"]),
            state_text(state),
            text(item.get("code") or item.get("stage") or ""),
            text(size_text(item.get("size"))),
            text(item.get("doc_id") or ""),
        )
    out().print(shown)


def _print_fields(found: dict[str, Any]) -> None:
    shown = table("field", "value")
    for name in (*FIELDS, *(key for key in found if key not in FIELDS)):
        value = found.get(name)
        if value in (None, "", [], {}) and value is not False:
            continue
        if name == "state":
            shown.add_row(name, state_text(str(value)))
        elif name == "size":
            shown.add_row(name, text(f"{size_text(int(str(value)))}"))
        elif name == "notes":
            shown.add_row(name, text("\n".join(note.line() for note in told(value)), lines=True))
        else:
            shown.add_row(text(name), text(_compact(value)))
    out().print(shown)


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_compact(item)}" for key, item in value.items() if item not in (None, "", {}, []))
    if isinstance(value, list):
        return ", ".join(map(_compact, value))
    return str(value)


def erase(
    document: Annotated[str, typer.Argument(help="The document's id.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Erase a document for good: its key is destroyed, and with it every copy and backup."""
    access = find_token(token)
    with Client(access) as client:
        if not yes:
            _confirm(client, document)
        receipt = client.json("DELETE", f"/documents/{segment(document)}")
    _show_receipt(receipt, as_json=as_json)


def _confirm(client: Client, document: str) -> None:
    import sys

    if not sys.stdin.isatty():
        raise CommandFailed("not_confirmed", "Erasing was not confirmed.", "Add --yes where nobody can be asked.")
    found = client.json("GET", f"/documents/{segment(document)}")
    out().print(text(found.get("title") or found.get("filename") or "", "bold") + text(f"  {found['doc_id']}", "dim"))
    if not typer.confirm("Erase this document for good?"):
        raise CommandFailed("not_confirmed", "Nothing was erased.", "", exit_code=Exit.REFUSED)


def erasure(
    erasure_id: Annotated[str, typer.Argument(metavar="ID", help="The erasure's id.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show a destruction receipt, with what has gone since."""
    with Client(find_token(token)) as client:
        receipt = client.json("GET", f"/erasures/{segment(erasure_id)}")
    _show_receipt(receipt, as_json=as_json)


def _show_receipt(receipt: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(receipt)
        return
    console = out()
    console.print(text("Destruction receipt", "bold") + text(f"  {receipt['erasure_id']}", "dim"))
    console.print(text(f"document   {receipt['doc_id']}"))
    console.print(text(f"key        destroyed {receipt['key_destroyed_at']}"))
    vectors = receipt.get("vectors") or {}
    console.print(text(f"vectors    {_compact(list(vectors.values()))}"))
    exports = receipt.get("exports") or []
    console.print(text(f"exports    {len(exports)} held it and were handed out before"))
    for item in exports:
        console.print(text(f"  ● {_compact(item)}", "yellow"))
    for item in receipt.get("remaining") or []:
        console.print(text(f"remaining  {_compact(item)}", "yellow"))
    if note := receipt.get("checkpoint"):
        console.print(text("checkpoint over the event of the erasure:", "dim"))
        console.print(text(str(note).rstrip("\n"), lines=True), soft_wrap=True)
