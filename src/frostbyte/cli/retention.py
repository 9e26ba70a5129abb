"""`frostbyte retention`: what expires, and what did."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, size_text, table, text

app = group("Documents that were kept long enough: what would be erased, and what was.")

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Show at most so many.")]


@app.command("plan")
def plan(
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, help="As if documents were kept for so many days.", show_default=False),
    ] = None,
    ahead: Annotated[int, typer.Option("--ahead", min=0, help="As if it were so many days later.")] = 0,
    limit: Limit = 100,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show what the daily run would erase; nothing is changed."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/retention/plan", params={"days": days, "ahead": ahead, "limit": limit})
    if as_json:
        print_json(found)
        return
    _print_plan(found)


def _print_plan(found: dict[str, Any]) -> None:
    console = out()
    console.print(
        text(f"{found['due']} to be erased", "bold red" if found["due"] else "bold green")
        + text(f"  {found['held']} kept by a legal hold", "yellow" if found["held"] else "dim")
        + text(f"  kept for {found['retention_days']} days, received before {found['cutoff'][:16]}Z", "dim")
    )
    if found["documents"]:
        shown = table("=document", "received", "due since", ">size")
        for item in found["documents"]:
            shown.add_row(
                text(item["doc_id"]),
                text(item["received_at"][:10]),
                text(item["due_since"][:10]),
                text(size_text(item["size"])),
            )
        console.print(shown)
    if len(found["documents"]) < found["due"]:
        hint(f"The oldest {len(found['documents'])} are shown; --limit shows more")
    if found["waits"]:
        console.print(text(f"! {found['waits_because']} Nothing is erased until that is settled.", "red"))
        hint("If the clocks are right: frostbyte retention confirm-clock TODAY")
    elif found["running"]:
        console.print(text("A run is under way.", "yellow"))
    elif found["next_run_at"]:
        console.print(text(f"next run {found['next_run_at'][:16]}Z, at most {found['most_per_run']} documents", "dim"))


@app.command("list")
def show_all(limit: Limit = 30, as_json: AsJson = False, token: Token = None) -> None:
    """List runs, newest first."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/retention/runs", params={"limit": limit})
    if as_json:
        print_json(found)
        return
    shown = table("=run", "began", "ended", ">days kept", ">erased", ">held", ">left")
    for item in found["runs"]:
        shown.add_row(
            text(item["run_id"]),
            text(item["began_at"][:16]),
            text((item["finished_at"] or "under way")[:16]),
            text(item["retention_days"]),
            text(item["erased"]),
            text(item["held"]),
            text(item["remaining"]),
        )
    out().print(shown)


@app.command("show")
def show(
    run: Annotated[str, typer.Argument(help="The run's id.", show_default=False)],
    limit: Limit = 100,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show a run with its erasures; `erasure ID` shows the destruction receipt of each."""
    with Client(find_token(token)) as client:
        found = client.json("GET", f"/retention/runs/{segment(run)}", params={"limit": limit})
    if as_json:
        print_json(found)
        return
    console = out()
    ended = f"ended {found['finished_at'][:16]}Z" if found["finished_at"] else "under way"
    console.print(text(f"run {found['run_id']}", "bold") + text(f"  began {found['began_at'][:16]}Z, {ended}", "dim"))
    console.print(text(f"{found['erased']} erased, {found['held']} held, {found['remaining']} left for the next run"))
    shown = table("=erasure", "=document", "at")
    for item in found["erasures"]:
        shown.add_row(text(item["erasure_id"]), text(item["doc_id"]), text(item["requested_at"][:19]))
    console.print(shown)
    if found["cursor"]:
        hint(f"More than {limit}: use --limit")


@app.command("confirm-clock")
def confirm_clock(
    today: Annotated[str, typer.Argument(help="Which day it is, as you know it: 2026-11-27.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Say that the plane's clock is right where it is doubted, so that documents expire by it again."""
    with Client(find_token(token)) as client:
        done = client.json("POST", "/retention/clock", body={"today": today})
    if as_json:
        print_json(done)
    else:
        out().print(text("The clock is believed again: ", "green") + text(done["believed_at"]))
