"""`frostbyte control plan|up|update|down`: a project's base, from the operator's machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.control import control_client
from frostbyte.cli.edge import control as control
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, table, text

if TYPE_CHECKING:
    from frostbyte.bootstrap.base import Bench
    from frostbyte.control_plane.provisioning.journal import EntryRow, RunRow
    from frostbyte.control_plane.provisioning.steps import Plan

Project = Annotated[str, typer.Option("--project", help="The Hetzner project, as tenants name it; made if it is new.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_DONE: Final = {"done": "", "gone": "took away "}
"""States that a step comes to rest in, and what is said then."""


@control.command("plan")
def plan(project: Project = "main", as_json: AsJson = False) -> None:
    """Show what a base is made of and costs: edge with control plane, bastion, firewalls, names. Nothing is touched."""
    with bench(project) as at:
        found = at.plan({})
    if as_json:
        print_json(_shown(found))
        return
    _show(found)


@control.command("up")
def up(
    project: Project = "main",
    expires_at: Annotated[
        str, typer.Option("--expires-at", help="For a try: when the new control plane takes everything away (UTC).")
    ] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make a project's base, or go on where it was interrupted: edge, control plane, bastion, firewalls, names, TLS."""
    end = _moment(expires_at) if expires_at else ""
    with bench(project) as at:
        if end and at.stands() and at.asked().get("expires_at") != end:
            raise CommandFailed(
                "base_stands",
                "A base that stands cannot be given an end: its control plane would not know of it.",
                "Take it away with `frostbyte control down`, or leave --expires-at out.",
            )
        request = {"expires_at": end} if end else at.asked() if at.stands() else {}
        if at.running() is None:
            found = at.plan(request)
            if not as_json:
                _show(found)
            found.check()
            confirm(yes, "Make it?")
        done = at.up(request, follow(as_json))
        ended(at, done, as_json=as_json)
        data = at.plane.settings.data_dir
    if not as_json:
        hint(f"Its control plane answers at {(data / 'edge-url').read_text(encoding='ascii').strip()}.")
        hint(f"export FROSTBYTE_CONTROL_URL=$(cat {data / 'edge-url'})")
        hint(f"export FROSTBYTE_CONTROL_TOKEN=$(cat {data / 'edge-token'})")


@control.command("update")
def update(project: Project = "main", yes: Yes = False, as_json: AsJson = False) -> None:
    """Bring the base to what the settings and this version say now. What still fits stays."""
    with bench(project) as at:
        if at.running() is None:
            if not at.remains():
                raise CommandFailed(
                    "base_missing",
                    "There is no base to change.",
                    "Make it: frostbyte control up",
                    exit_code=Exit.NOT_FOUND,
                )
            found = at.plan(at.asked())
            if not as_json:
                _show(found)
            found.check()
            confirm(yes, "Change it?")
        ended(at, at.up(at.asked(), follow(as_json)), as_json=as_json)


@control.command("down")
def down(
    project: Project = "main",
    confirm: Annotated[
        str, typer.Option("--confirm", help="The project's name once more: this cannot be undone.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Take the base away, the control plane with it. Tenants have to be gone before; the bill is empty after it."""
    if confirm != project:
        raise CommandFailed(
            "confirmation_wrong",
            "This cannot be undone, and what was typed is not the project's name.",
            f"frostbyte control down --project {project} --confirm {project}",
        )
    with bench(project) as at:
        ended(at, at.down(follow(as_json)), as_json=as_json)
    if not as_json:
        out().print(text("The base is gone.", "green"))


@control.command("adopt", hidden=True)
def adopt(
    file: Annotated[Path, typer.Argument(help="What `control up` has written.", show_default=False)],
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Tell a control plane the base that it runs on. `control up` does this by itself."""
    try:
        base = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandFailed(
            "file_unreadable", f"{file} cannot be read.", "Name the file that `control up` has written."
        ) from None
    with control_client(token) as client:
        done = client.json("PUT", "/base", body={"base": base})
    if as_json:
        print_json(done)
    else:
        out().print(text(f"{done['project_id']}: {done['written']} entries written."))


@contextmanager
def bench(project: str) -> Iterator[Bench]:
    """What a project's base is planned and made with, on this machine."""
    from frostbyte.bootstrap.base import Bench
    from frostbyte.bootstrap.control import build
    from frostbyte.control_plane.provisioning.resources import Owner
    from frostbyte.control_plane.settings import load

    settings = load()
    plane = build(settings)
    try:
        yield Bench(plane=plane, owner=Owner(environment=settings.environment, project_id=project))
    finally:
        plane.close()


def _moment(text: str) -> str:
    """As the control plane reads it. Raises CommandFailed: `moment_invalid`."""
    from datetime import datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandFailed(
            "moment_invalid", f"{text} is no moment with its zone.", "Write it as 2026-03-01T14:00:00+00:00."
        )
    return found.isoformat()


def confirm(yes: bool, question: str) -> None:
    """Go on, or stop here."""
    if not yes and not typer.confirm(question, err=True):
        raise typer.Abort


def follow(as_json: bool) -> Callable[[EntryRow], None]:
    """A line for every step that begins, and one when it has come to something."""

    def seen(entry: EntryRow) -> None:
        if entry.state.value == "intended" and not entry.code:
            err().print(text(f"  … {entry.key}", "dim"))
        elif entry.code or entry.state.value in _DONE:
            mark, style = ("✗", "red") if entry.code else ("✓", "green")
            verb = "" if entry.code else _DONE[entry.state.value]
            err().print(
                text(f"  {mark} ", style) + text(f"{verb}{entry.key}  ") + text(entry.code or entry.name, "dim")
            )

    return (lambda entry: None) if as_json else seen


def ended(at: Bench, run: RunRow, *, as_json: bool) -> None:
    """Say how a run ended, and what remains. Raises CommandFailed where it did not succeed."""
    left = [{"key": row.key, "kind": row.kind, "name": row.name, "id": row.resource_id} for row in at.remains()]
    good = run.state.value == "succeeded"
    if as_json:
        print_json({"run_id": str(run.run_id), "state": run.state.value, "code": run.code, "remains": left})
    if good:
        return
    names = ", ".join(f"{row['kind']} {row['name']}" for row in left)
    raise CommandFailed(
        run.code or "base_failed",
        f"The base is not as it should be ({run.code}). " + (f"What remains: {names}." if left else "Nothing remains."),
        "Look at the lines above; type the same command again, or take it away with `frostbyte control down`.",
        exit_code=Exit.PROBLEMS,
    )


def _shown(found: Plan) -> dict[str, Any]:
    return {
        "steps": [
            {"key": step.key, "action": step.action.value, "name": step.name, "monthly": str(step.monthly)}
            for step in found.steps
        ],
        "facts": dict(found.facts),
        "warnings": list(found.warnings),
        "monthly": str(found.monthly),
        "currency": found.currency,
    }


def _show(found: Plan) -> None:
    shown = table("=step", "name", "a month", title=f"The base of {found.owner.project_id}")
    for step in found.steps:
        cost = f"{step.monthly:.2f} {found.currency}" if step.monthly else ""
        shown.add_row(text(step.key), text(step.name), text(cost))
    out().print(shown)
    for warning in found.warnings:
        err().print(text(f"! {warning}", "yellow"))
    out().print(text(f"{found.monthly:.2f} {found.currency} a month, net.", "bold"))
