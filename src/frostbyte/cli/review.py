"""`frostbyte review`: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, text

app = group("Passages that were withheld, and documents of uncertain class.")

Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why. Codes such as harmless, quotation, attack are audited.", prompt=True)
]


@app.command("list")
def show(as_json: AsJson = False, token: Token = None) -> None:
    """List what waits for a decision."""
    with Client(find_token(token)) as client:
        queue = client.json("GET", "/review")
    if as_json:
        print_json(queue)
        return
    console = out()
    if not queue["chunks"] and not queue["documents"]:
        console.print(text("Nothing waits for review.", "green"))
        return
    for item in queue["chunks"]:
        head = f"passage {item['chunk_id']}  page {item['page']}  injection {item['injection_score']}"
        console.print(text("● ", "yellow") + text(head, "bold"))
        console.print(text(item["text"], lines=True))
    for item in queue["documents"]:
        head = f"document {item['doc_id']}"
        console.print(text("● ", "cyan") + text(head, "bold"))
        console.print(text(f"  looks like {_wavering(item)}"))
    hint("Decide with: frostbyte review release CHUNK or keep CHUNK, frostbyte review classify DOC CLASS")


def _wavering(item: dict[str, Any]) -> str:
    """The two best classes, and what spoke for the first."""
    line = f"{item['classification']}, confidence {item['class_confidence']}"
    if item.get("second"):
        line += f", or {item['second']}, {item['second_confidence']}"
    if item.get("reasons"):
        line += f" (by {', '.join(item['reasons'])})"
    return line


@app.command("release")
def release(
    chunk: Annotated[str, typer.Argument(help="The passage's id.", show_default=False)],
    reason: Reason,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Let a withheld passage be found."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/review/chunks/{segment(chunk)}/release", body={"reason": reason})
    if as_json:
        print_json(done)
    else:
        out().print(text("Released. ", "green") + text(f"event {done.get('event_id', '')}", "dim"))


@app.command("keep")
def keep(
    chunk: Annotated[str, typer.Argument(help="The passage's id.", show_default=False)],
    reason: Reason,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Leave a withheld passage withheld, and take it off the list."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/review/chunks/{segment(chunk)}/keep", body={"reason": reason})
    if as_json:
        print_json(done)
    else:
        out().print(text("It stays withheld. ", "green") + text(f"event {done.get('event_id', '')}", "dim"))


@app.command("retry")
def retry(
    document: Annotated[str, typer.Argument(help="The document's id.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Send a failed or quarantined document through the stages again."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/documents/{segment(document)}/retry")
    if as_json:
        print_json(done)
    else:
        out().print(text("It goes through again. ", "green") + text(f"incarnation {done['incarnation']}", "dim"))
        hint(f"Watch it: frostbyte status {done['doc_id']}")


@app.command("classify")
def classify(
    document: Annotated[str, typer.Argument(help="The document's id.", show_default=False)],
    classification: Annotated[str, typer.Argument(metavar="CLASS", help="contract, invoice ...", show_default=False)],
    reason: Reason,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Say what class a document has."""
    body = {"classification": classification, "reason": reason}
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/review/documents/{segment(document)}", body=body)
    if as_json:
        print_json(done)
    else:
        out().print(text(f"It is {classification} now. ", "green") + text(f"event {done.get('event_id', '')}", "dim"))
