"""`frostbyte sweep`: what in the cloud nobody owns; removed only when a person has seen it and said so."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.control import control_client
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, table, text

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LOOK_SECONDS: Final = 600.0
"""For an answer: every project is looked through, and a removal waits for the cloud."""
_AT_ONCE: Final = 5
"""Removed with one request, so that one sees how it goes on."""
_WHY: Final = {
    "busy": "a run of its owner goes on",
    "data": "a volume with data, or of a tenant that the register does not know",
    "young": "made within the grace",
    "undated": "nobody says when it was made",
    "in_use": "something uses it that stays",
}


def sweep(
    delete: Annotated[bool, typer.Option("--delete", help="Remove what nobody owns, after a question.")] = False,
    grace: Annotated[str, typer.Option("--grace", help="What is younger is no orphan yet: 90m, 1h, 2d.")] = "1h",
    confirm: Annotated[
        int | None,
        typer.Option("--confirm", help="How many are to be removed; else it is asked for.", show_default=False, min=0),
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Look for servers, volumes, networks, records ... of ours that nobody owns. Exit code 3 where some are left."""
    seconds = parse_grace(grace)
    with control_client(token) as client:
        client.limit(_LOOK_SECONDS)
        found = client.json("GET", "/orphans", params={"grace": seconds})
        if not as_json:
            _print(found)
        removals: list[dict[str, Any]] = []
        if delete and found["orphans"]:
            keys = [one["key"] for one in found["orphans"]]
            _ask(len(keys), confirm)
            for start in range(0, len(keys), _AT_ONCE):
                body = {"keys": keys[start : start + _AT_ONCE], "grace": seconds}
                removals += client.json("POST", "/orphans/removal", body=body)["removals"]
                if not as_json:
                    _print_removals(removals[start:])
    if as_json:
        print_json({**found, "removals": removals})
    gone = {one["key"] for one in removals if one["code"] is None}
    if found["blind"] or any(one["key"] not in gone for one in found["orphans"]):
        raise typer.Exit(int(Exit.PROBLEMS))


def parse_grace(given: str) -> int:
    """Seconds. Raises CommandFailed("grace_invalid")."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", given)
    if match is None or int(match[1]) * _UNITS[match[2]] > 366 * _UNITS["d"]:
        raise CommandFailed("grace_invalid", "The grace is no time, or longer than a year.", "Write it like 90m or 1h.")
    return int(match[1]) * _UNITS[match[2]]


def _ask(count: int, confirmed: int | None) -> None:
    """Raises CommandFailed("confirmation_wrong")."""
    if confirmed is None:
        question = f"They are destroyed with what is on them. Type their number ({count})"
        confirmed = int(typer.prompt(question, type=int, err=True))
    if confirmed != count:
        raise CommandFailed(
            "confirmation_wrong",
            f"There are {count} to be removed, not {confirmed}. Nothing was touched.",
            "Look at the list again, and confirm its number.",
        )


def _print(found: dict[str, Any]) -> None:
    if found["orphans"]:
        shown = table("=orphan", "name", "project", "tenant", "since")
        for one in found["orphans"]:
            since = (one["created_at"] or "?")[:19].replace("T", " ")
            cells = (one["key"], one["name"], one["project_id"], one["tenant_id"] or "base", since)
            shown.add_row(*map(text, cells))
        out().print(shown)
    else:
        out().print(text("There are no orphans."))
    out().print(text(f"{found['owned']} things are in the journal.", "dim"))
    for one in found["left"]:
        out().print(text(f"left alone: {one['key']} {one['name']}: {_WHY.get(one['why'], one['why'])}", "yellow"))
    for one in found["blind"]:
        out().print(text(f"not looked at: project {one['project_id']} ({one['code']})", "red"))
    if found["orphans"]:
        hint("Remove them: frostbyte sweep --delete")


def _print_removals(removals: list[dict[str, Any]]) -> None:
    for one in removals:
        left = f"left: {one['key']} ({one['code']})"
        line, style = (f"gone: {one['key']}", "green") if one["code"] is None else (left, "red")
        out().print(text(line, style))
