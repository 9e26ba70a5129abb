"""`frostbyte report`: what came, what became of it, and what to do about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.options import AsJson, Token
from frostbyte.cli.output import count_text, hint, indented, out, print_json, state_text, table, text

UNITS = ("pages", "characters", "cells", "images")
ROWS = 60
"""Documents listed on a screen; `--html` and `--json` list all."""


def report(
    batch: Annotated[str, typer.Argument(help="The batch's id, from `ingest`.", show_default=False)],
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as a page here.")] = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show the acceptance report of a batch: received, parsed, dropped, withheld, quarantined, indexed."""
    path = f"/ingest/{segment(batch)}/report"
    with Client(find_token(token)) as client:
        if html is not None:
            html.write_bytes(client.answer("GET", path, params={"format": "html"}).content)
        found = client.json("GET", path)
    if as_json:
        print_json(found)
    else:
        print_report(found)
        if html is not None:
            hint(f"The page is in {html}")


def print_report(found: dict[str, Any]) -> None:
    """The report on a terminal."""
    console = out()
    console.print()
    console.print(text("Acceptance report", "bold") + text(f"  batch {found['batch_id']}", "dim"))
    if stand_ins := found.get("stand_ins"):
        console.print(text(f"NOT FOR PRODUCTION: stand-ins for {', '.join(map(str, stand_ins))}", "bold yellow"))
    console.print(_totals(found["totals"]))
    _print_documents(found["documents"])
    _print_account(found.get("account") or {})
    _print_problems(found)


def _totals(totals: dict[str, int]) -> Any:
    line = text(f"{totals['received']} received", "bold")
    for name in ("indexed", "duplicates", "waiting", "quarantined", "failed", "rejected", "erased"):
        if count := totals.get(name, 0):
            line += text("  ·  ", "dim") + text(f"{count} ") + state_text(name)
    return line


def _print_documents(documents: list[dict[str, Any]]) -> None:
    if not documents:
        return
    shown = table("file", "state", "class", ">pages", ">passages", ">withheld")
    for item in documents[:ROWS]:
        shown.add_row(
            text(item["filename"]),
            state_text(item["state"]) + text("  again" if item.get("outcome") == "duplicate" else "", "dim"),
            text(item.get("classification") or "") + text(" ?" if item.get("needs_review") else "", "yellow"),
            text(item.get("pages") or ""),
            text(item.get("chunks") or ""),
            text(item.get("withheld") or "", "yellow"),
        )
    out().print(shown)
    if len(documents) > ROWS:
        hint(f"and {len(documents) - ROWS} more; --json or --html lists all")


def _print_account(account: dict[str, Any]) -> None:
    rows = [(unit, account[unit]) for unit in UNITS if account.get(unit, {}).get("found")]
    if not rows:
        return
    shown = table("account", ">found", ">indexed", ">redacted", ">withheld", ">dropped", "why dropped")
    closes = True
    for unit, tally in rows:
        dropped = tally["dropped"]
        gone = sum(dropped.values())
        closes &= tally["found"] == tally["indexed"] + tally["redacted"] + tally["withheld"] + gone
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(dropped.items()))
        numbers = (tally["found"], tally["indexed"], tally["redacted"], tally["withheld"], gone)
        shown.add_row(unit, *(f"{number:,}" for number in numbers), text(why, "dim"))
    out().print(shown)
    verdict = ("The account closes: every unit found is in one column.", "green")
    out().print(text(*verdict) if closes else text("The account does NOT close: report this as a fault.", "bold red"))


def _print_problems(found: dict[str, Any]) -> None:
    if not found["problems"]:
        return
    out().print()
    out().print(text(f"{count_text(len(found['problems']), 'file needs', 'files need')} attention", "bold"))
    for item in found["problems"]:
        out().print(text("  ● ", "red") + text(item["filename"], "bold") + text(f"  {item['code']}", "dim"))
        out().print(indented(text(item["message"]), 4))
        if item.get("remedy"):
            out().print(indented(text("→ ", "green") + text(item["remedy"]), 4))
