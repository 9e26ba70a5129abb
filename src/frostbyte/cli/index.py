"""`frostbyte index`: which model's index answers, and making it anew."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("The index that search answers from.")

_POLL_SECONDS = 1.0
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is through, and show how far it is.")]


@app.command("status")
def status(wait: Wait = False, as_json: AsJson = False, token: Token = None) -> None:
    """Show which model's index answers and how far its rebuild is."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/index")
        _show(_waited(client, found) if wait else found, as_json=as_json)


@app.command("rebuild")
def rebuild(wait: Wait = False, as_json: AsJson = False, token: Token = None) -> None:
    """Send every document through the stages again, after a change of rules, configuration or embedding model.

    Search keeps answering from what there is until each document, or with another model the whole index, is switched.
    """
    with Client(find_token(token)) as client:
        found = client.json("POST", "/index/rebuild")
        _show(_waited(client, found) if wait else found, as_json=as_json)
    if not wait and not as_json:
        hint("See how far it is with: frostbyte index status --wait")


@app.command("switch")
def switch(as_json: AsJson = False, token: Token = None) -> None:
    """Switch to the new index although documents failed; they are not found until they are tried again."""
    with Client(find_token(token)) as client:
        found = client.json("POST", "/index/switch")
    _show(found, as_json=as_json)


def _waited(client: Client, found: dict[str, Any]) -> dict[str, Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("rebuilding"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=out(), transient=True) as progress:
        task = progress.add_task("", total=None, left="")
        while (state := found.get("rebuild")) and state["state"] == "running":
            ended = state["done"] + state["failed"]
            progress.update(task, total=state["total"], completed=ended, left=_left(state))
            time.sleep(_POLL_SECONDS)
            found = client.json("GET", "/index")
    return found


def _left(state: dict[str, Any]) -> str:
    seconds = state["seconds_left"]
    return "" if seconds is None else f"{seconds // 60} min {seconds % 60:02d} s left"


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    shown = table("index", "")
    shown.add_row(text("answers with"), text(found["serving"] or "nothing is indexed yet"))
    if not found["fits"]:
        shown.add_row(text("configured"), text(found["wanted"]))
    if state := found["rebuild"]:
        shown.add_row(text("rebuild"), text(state["state"]))
        shown.add_row(text("documents"), text(f"{state['done']} of {state['total']}, {state['failed']} failed"))
        if state["state"] == "running":
            shown.add_row(text("speed"), text(f"{state['documents_per_second']} documents/s"))
            shown.add_row(text("time left"), text(_left(state) or "not known yet"))
    out().print(shown)
    if not found["fits"] and (found["rebuild"] or {}).get("state") != "running":
        hint("Make it anew with: frostbyte index rebuild")
    if (found["rebuild"] or {}).get("state") == "held":
        hint("Try the failed documents again, or leave them behind with: frostbyte index switch")
