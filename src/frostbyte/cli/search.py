"""`frostbyte search`: questions, answers, and the proof of each."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.options import AsJson, Token
from frostbyte.cli.output import count_text, hint, out, print_json, safe, text
from frostbyte.cli.proof import PRIVATE, check_with, save_proof

LINES = 12
"""Lines of a passage that are shown; `--full` shows all."""


class Mode(StrEnum):
    """How passages are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def search(
    query: Annotated[str, typer.Argument(help="What you want to know.", show_default=False)],
    top_k: Annotated[int | None, typer.Option("--top-k", "-k", min=1, max=50, help="Passages at most.")] = None,
    classification: Annotated[
        list[str] | None, typer.Option("--class", help="Only documents of this class (may be repeated).")
    ] = None,
    received_from: Annotated[str | None, typer.Option("--from", help="Received on or after (2026-01-31).")] = None,
    received_to: Annotated[str | None, typer.Option("--to", help="Received before or on.")] = None,
    document: Annotated[list[str] | None, typer.Option("--doc", help="Only this document (may be repeated).")] = None,
    mode: Annotated[Mode | None, typer.Option("--mode", help="By words and meaning, by meaning, or by words.")] = None,
    proof: Annotated[Path | None, typer.Option("--proof", help="Save the proof of each answer here.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Show passages whole.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Ask the plane; every answer names its document, page and place, and can be proven."""
    filters = {
        "doc_ids": document,
        "classification": classification,
        "received_from": received_from,
        "received_to": _end_of_day(received_to),
    }
    asked = {"query": query, "top_k": top_k, "mode": mode, "filters": {k: v for k, v in filters.items() if v}}
    body = {key: value for key, value in asked.items() if value}
    with Client(find_token(token)) as client:
        found = client.json("POST", "/query", body=body)
        saved = _save_proofs(client, found["results"], proof) if proof else []
    if as_json:
        print_json(found | ({"proofs": [str(path) for path in saved]} if proof else {}))
        return
    print_results(found, full=full)
    if saved:
        hint(f"{count_text(len(saved), 'proof')} in {proof}: {check_with(saved[0])}")


def _end_of_day(given: str | None) -> str | None:
    """`--to 2026-01-31` means the whole day."""
    return f"{given}T23:59:59.999999Z" if given and re.fullmatch(r"\d{4}-\d{2}-\d{2}", given) else given


def _save_proofs(client: Client, results: list[dict[str, Any]], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    saved = []
    for item in results:
        made = client.json("GET", f"/chunks/{segment(item['chunk_id'])}/proof")
        path = folder / f"{item['rank']:02d}-{segment(item['chunk_id'])}.proof.json"
        save_proof(path, json.dumps(made, indent=1, ensure_ascii=False))
        saved.append(path)
    return saved


def print_results(found: dict[str, Any], *, full: bool = False) -> None:
    """Answers as panels."""
    console = out()
    if not found["results"]:
        console.print(text("Nothing was found.", "yellow"))
        hint("Use other words, fewer filters, or see what is there: frostbyte status")
        return
    for item in found["results"]:
        console.print(_panel(item, full=full))
    embedding = found.get("embedding") or {}
    where = ", on another company's server" if embedding.get("remote") else ""
    hint(f"found by {embedding.get('label', 'words')}{where}; query {found.get('query_id', '')}")


def _panel(item: dict[str, Any], *, full: bool) -> Any:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    title = Text.assemble(
        (f" {item['rank']} ", "bold reverse"), " ", text(item.get("title") or item["doc_id"], "bold"), " "
    )
    place = f"page {item['page']} · characters {item['start']}-{item['end']} · score {item['score']:.3f}"
    if item.get("classification"):
        place += f" · {item['classification']}"
    parts = [text(place, "cyan")]
    headings = [str(heading) for heading in item.get("headings") or () if heading]
    if headings and not str(item["text"]).startswith(headings[-1]):
        parts.append(text(" › ".join(headings), "italic"))
    if flags := item.get("flags"):
        parts.append(text(f"flagged: {', '.join(map(str, flags))}", "yellow"))
    parts.append(_passage(str(item["text"]), full=full))
    if also := item.get("also_in"):
        files = ", ".join(dict.fromkeys(str(other.get("filename") or other["doc_id"]) for other in also))
        parts.append(text(f"much the same in {len(also)} other passages: {files}", "dim"))
    proof = text(f"proof: frostbyte proof get {safe(item['chunk_id'])} -o answer.proof.json", "dim")
    return Panel(Group(*parts, proof), title=title, title_align="left", border_style="dim", padding=(0, 1))


def _passage(passage: str, *, full: bool) -> Any:
    lines = [line for line in passage.splitlines() if line.strip()]
    cut = lines if full else lines[:LINES]
    shown = text("\n".join(cut), lines=True)
    return shown if len(cut) == len(lines) else shown + text(f"\n… {len(lines) - LINES} more lines (--full)", "dim")
