"""`frostbyte hold`: what nobody erases until a matter is closed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("Legal holds: what they cover is neither erased nor does it expire.")

_REASONS = "litigation, investigation, regulator, audit, contract or other."
_RELEASES = "closed, withdrawn, replaced or mistake."


@app.command("place")
def place(
    matter: Annotated[str, typer.Argument(help="The matter's reference, such as 2026-0147.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", "-r", help=_REASONS, prompt=True)],
    document: Annotated[
        list[str] | None, typer.Option("--document", "-d", help="A document's id; as often as needed.")
    ] = None,
    documents: Annotated[
        Path | None, typer.Option("--documents", help="A file with documents' ids, one a line; - for standard input.")
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that the plane has and takes in.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Hold documents, or everything, for a matter."""
    doc_ids = [*(document or ()), *(_read(documents) if documents is not None else ())]
    body = {"matter": matter, "reason": reason, "doc_ids": doc_ids, "everything": everything}
    with Client(find_token(token)) as client:
        placed = client.json("POST", "/holds", body=body)
    if as_json:
        print_json(placed)
        return
    out().print(text("Held: ", "green") + text(_scope(placed)) + text(f"  {placed['hold_id']}", "dim"))
    hint(f"Release it with: frostbyte hold release {placed['hold_id']}")


def _read(file: Path) -> list[str]:
    try:
        content = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise CommandFailed("file_unreadable", f"{file} cannot be read.", "Name a text file with ids.") from None
    lines = (line.strip() for line in content.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@app.command("list")
def show_all(
    document: Annotated[str | None, typer.Option("--document", "-d", help="Only those that cover this one.")] = None,
    released: Annotated[bool, typer.Option("--released", help="Also those that were released.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """List holds that are in force, oldest first."""
    asked = {"doc_id": document, "released": "true" if released else None, "limit": limit}
    with Client(find_token(token)) as client:
        found = client.json("GET", "/holds", params=asked)
    if as_json:
        print_json(found)
        return
    if not found["holds"]:
        out().print(text("Nothing is held.", "green") if not released else text("There were never any holds.", "green"))
        return
    last = "released" if released else "by"
    shown = table("=hold", "=matter", "reason", "covers", "placed", last)
    for item in found["holds"]:
        shown.add_row(
            text(item["hold_id"]),
            text(item["matter"], "bold" if item["in_force"] else "dim"),
            text(item["reason"]),
            text(_scope(item)),
            text(item["placed_at"][:10]),
            text((item["released_at"] or "")[:10] if released else item["placed_by"]),
        )
    out().print(shown)
    if found.get("cursor"):
        hint(f"More than {limit}: use --limit or --document")


def _scope(item: dict[str, Any]) -> str:
    count = len(item["doc_ids"])
    return "everything" if item["everything"] else f"{count} document{'s' * (count != 1)}"


@app.command("release")
def release(
    hold: Annotated[str, typer.Argument(help="The hold's id.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", "-r", help=_RELEASES, prompt=True)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Release a hold for good; documents stay held by every other one."""
    with Client(find_token(token)) as client:
        done = client.json("DELETE", f"/holds/{segment(hold)}", params={"reason": reason})
    if as_json:
        print_json(done)
    else:
        out().print(text("Released: ", "green") + text(f"{_scope(done)} of {done['matter']}"))
