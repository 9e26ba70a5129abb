"""`frostbyte control backup|restore`: what the control plane knows, kept elsewhere, and put back where it was lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frostbyte.cli.base import control
from frostbyte.cli.control import control_client
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, table, text

if TYPE_CHECKING:
    from frostbyte.bootstrap.control_backup import Report


@control.command("backup")
def backup(as_json: AsJson = False, token: ControlToken = None) -> None:
    """Back up the control plane now, and try the backup: register, journal, ledger, audit, keys, vault, authorities."""
    with control_client(token) as client:
        done: dict[str, Any] = client.json("POST", "/backups", body={})
    if as_json:
        print_json(done)
    else:
        verdict = done["verdict"]
        out().print(text(f"{done['snapshot']}  {done['written']:,} of {done['size']:,} bytes stored"))
        style = "green" if verdict["ok"] else "red"
        how = "put back whole in a database of its own" if verdict["trial"] == "loaded" else "read whole"
        out().print(text(f"tried in {verdict['seconds']:.1f} s: {how if verdict['ok'] else verdict['code']}", style))
    if not done["verdict"]["ok"]:
        raise CommandFailed(
            done["verdict"]["code"],
            "The backup was taken and cannot be put back.",
            "Take another one; if it stays so, use another place. docs/backups.md",
            exit_code=Exit.PROBLEMS,
        )


@control.command("restore")
def restore(
    identity: Annotated[
        Path, typer.Option("--identity", help="The file of age-keygen that is kept offline.", show_default=False)
    ],
    snapshot: Annotated[str, typer.Option("--snapshot", help="Which one; else the newest.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put the control plane back where its disk was lost, then look for all that is younger than the backup.

    On its own host, with its settings, an empty folder and an empty database, while it does not run. Typed again, it
    goes on. Ends with 3 where something is left for a person.
    """
    from frostbyte.bootstrap import backup_target
    from frostbyte.bootstrap.control_backup import brought_up, finished, restored
    from frostbyte.bootstrap.restoring import identity as identity_of
    from frostbyte.control_plane.settings import load

    settings, unseal = load(), identity_of(identity)
    done = restored(settings, backup_target.load(), unseal, snapshot)
    if not as_json:
        again = " (had been put back before)" if done.again else ""
        err().print(text(f"The state of {done.taken_at}{again}. Looking for what is younger ...", "dim"))
    report = brought_up(settings, done)
    if as_json:
        print_json(shown(report))
    else:
        _show(report)
    finished(settings.data_dir)
    if report.adopted.persons:
        raise typer.Exit(Exit.PROBLEMS)


def shown(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    done, adopted = report.restored, report.adopted
    return {
        "snapshot": done.snapshot,
        "taken_at": done.taken_at,
        "files": done.files,
        "operations_ended": done.ended,
        "adopted": [
            {
                "project_id": one.project_id,
                "owner": one.owner,
                "kind": one.kind.value,
                "name": one.name,
                "id": one.resource_id,
                "replaced": one.replaced,
            }
            for one in adopted.told.adopted
        ],
        "tenants_entered": adopted.told.tenants,
        "tenants_moved_on": adopted.told.moved_on,
        "for_a_person": [
            {"about": one.about, "code": one.code, "message": one.message, "remedy": one.remedy}
            for one in adopted.persons
        ],
    }


def _show(report: Report) -> None:
    done, adopted = report.restored, report.adopted
    out().print(text(f"Put back as it was at {done.taken_at}, from {done.snapshot}.", "green"))
    if done.ended:
        out().print(text(f"{done.ended} operations were under way then; they are ended, and not gone on with."))
    rows = table("owner", "=resource", "id", "", title=f"{len(adopted.told.adopted)} resources adopted")
    for one in adopted.told.adopted:
        what = "in place of another" if one.replaced else ""
        rows.add_row(text(one.owner), text(f"{one.kind.value} {one.name}"), text(one.resource_id), text(what))
    if adopted.told.adopted:
        out().print(rows)
    for name in adopted.told.tenants:
        out().print(text(f"{name}: entered in the register, as in service"))
    for name in adopted.told.moved_on:
        out().print(text(f"{name}: brought up to what its plane has heard"))
    for person in adopted.persons:
        out().print(text(f"! {person.message}", "yellow"))
        out().print(text(f"  {person.remedy}", "dim"))
    if not adopted.persons:
        out().print(text("Nothing is left for a person.", "green"))
    hint("Start it: frostbyte serve control. What was issued to machines (API keys) has to be issued anew.")
