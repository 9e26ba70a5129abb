"""`frostbyte jobs`: the work to be done, and what was tried in vain."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("Jobs that wait, run, or were tried in vain (dead letters).")

Job = Annotated[str, typer.Argument(help="The job's id.", show_default=False)]
_STYLE = {"dead": "red", "running": "cyan", "waiting": "yellow"}


@app.command("list")
def show_all(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were tried in vain.")] = False,
    stage: Annotated[str | None, typer.Option("--stage", help="scan, parse, policy, embed or index.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """List jobs, oldest first. The exit code is 3 if there are dead letters."""
    asked = {"dead": "true" if dead else None, "stage": stage, "limit": limit}
    with Client(find_token(token)) as client:
        found = client.json("GET", "/jobs", params=asked)
    if as_json:
        print_json(found)
    else:
        _print(found, limit)
    if found["counts"]["dead"]:
        raise typer.Exit(Exit.PROBLEMS)


def _print(found: dict[str, Any], limit: int) -> None:
    if not found["jobs"]:
        out().print(text("No such jobs.", "green"))
    else:
        shown = table("=job", "stage", "state", ">attempt", "not before", "reason")
        for job in found["jobs"]:
            shown.add_row(
                text(job["job_id"]),
                text(job["stage"]),
                text(job["state"], _STYLE.get(job["state"], "")),
                text(f"{job['attempt']}/{job['attempts']}"),
                text(str(job["not_before"])[:19]),
                text(job["code"]),
            )
        out().print(shown)
    if found.get("cursor"):
        hint(f"More than {limit}: use --limit, --stage or --dead")
    if found["counts"]["dead"]:
        hint(f"{found['counts']['dead']} were tried in vain: frostbyte jobs show, retry or discard JOB")


@app.command("show")
def show(job: Job, as_json: AsJson = False, token: Token = None) -> None:
    """Show one job: where it stands and why."""
    with Client(find_token(token)) as client:
        found = client.json("GET", f"/jobs/{segment(job)}")
    if as_json:
        print_json(found)
        return
    shown = table("field", "value")
    for name, value in found.items():
        if value not in (None, ""):
            shown.add_row(text(name), text(value, _STYLE.get(value, "") if name == "state" else ""))
    out().print(shown)


@app.command("retry")
def retry(job: Job, as_json: AsJson = False, token: Token = None) -> None:
    """Send a dead letter's document through all stages again, or begin at once what is put off."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/jobs/{segment(job)}/retry")
    if as_json:
        print_json(done)
    else:
        out().print(text("It is tried again. ", "green") + text(f"job {done['job_id']}", "dim"))
        hint(f"Watch it: frostbyte status {done['doc_id']}")


@app.command("discard")
def discard(
    job: Job,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; that there was one is audited.", prompt=True)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Take a dead letter away; its document stays failed."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/jobs/{segment(job)}/discard", body={"reason": reason})
    if as_json:
        print_json(done)
    else:
        out().print(text("Discarded; the document stays failed. ", "green") + text(f"event {done['event_id']}", "dim"))
