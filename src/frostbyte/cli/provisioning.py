"""`frostbyte tenant plan`, `provision` and `drift`: a tenant's hosts, before, while and after they are made."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.control import changed, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.operations import Seen, Tenant, Wait, begin
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, table, text
from frostbyte.control_plane.overview.words import said
from frostbyte.kernel.errors import FrostbyteError

_PANEL: Final = "What is asked for (what is left out stays as it was)"
Octet = Annotated[
    int | None,
    typer.Option("--octet", min=1, max=254, help="Refuse if its network is not 10.OCTET.0.0/16.", show_default=False),
]
Shape = Annotated[
    str | None,
    typer.Option(
        "--shape",
        help="small: one server. standard: gateway, workers, database.",
        show_default=False,
        rich_help_panel=_PANEL,
        autocompletion=lambda incomplete: [one for one in ("small", "standard") if one.startswith(incomplete)],
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Servers for workers.", show_default=False, rich_help_panel=_PANEL),
]
Locations = Annotated[
    list[str] | None,
    typer.Option(
        "--location",
        help="Where servers may be, best first; repeat it. Nothing is ever made elsewhere.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        help="ROLE=TYPE,TYPE: server types of a role, best first; repeat it.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Volume = Annotated[
    int | None,
    typer.Option("--volume-gb", min=10, help="Size of its volume.", show_default=False, rich_help_panel=_PANEL),
]
Egress = Annotated[
    list[str] | None,
    typer.Option(
        "--egress",
        help="HOST:PORT that it may reach; repeat it. Nothing else is let out.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Reuse = Annotated[
    bool,
    typer.Option("--reuse-volume", help="Use a volume with its data that is left.", rich_help_panel=_PANEL),
]
Release = Annotated[
    str | None,
    typer.Option(
        "--release",
        help="VERSION of Frostbyte for its hosts. Else what runs there; at first the control plane's own.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Encrypted = Annotated[
    bool | None,
    typer.Option(
        "--encrypted/--unencrypted",
        help="Whether a volume that is made now is encrypted; one that is there stays as it is.  [default: encrypted]",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
_STANDING: Final = {
    "new": ("to be done", ""),
    "adopt": ("there: taken over", "cyan"),
    "begun": ("begun: looked for first", "yellow"),
    "done": ("done", "green"),
    "changed": ("done, to be changed", "yellow"),
    "again": ("done, to be done again", "yellow"),
    "lost": ("gone, made anew", "yellow"),
    "undoing": ("being taken away", "red"),
}
_WHAT: Final = {
    "missing": "is gone",
    "replaced": "is another one",
    "changed": "was changed",
    "unknown": "is not in the journal",
    "extra": "should not be there",
    "off": "does not run",
}


def plan(
    tenant: Tenant,
    octet: Octet = None,
    shape: Shape = None,
    workers: Workers = None,
    locations: Locations = None,
    types: Types = None,
    volume_gb: Volume = None,
    egress: Egress = None,
    encrypted: Encrypted = None,
    reuse_volume: Reuse = False,
    release: Release = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show what provisioning would do: servers, places, addresses, cost, steps, changes. Touches nothing.

    Exit 3: it cannot be carried out as it is.
    """
    body = _asked(octet, shape, workers, locations, types, volume_gb, egress, encrypted, reuse_volume, release)
    show(planned(tenant, body, token), as_json=as_json)


def provision(
    tenant: Tenant,
    octet: Octet = None,
    shape: Shape = None,
    workers: Workers = None,
    locations: Locations = None,
    types: Types = None,
    volume_gb: Volume = None,
    egress: Egress = None,
    encrypted: Encrypted = None,
    reuse_volume: Reuse = False,
    release: Release = None,
    create: Annotated[
        bool, typer.Option("--create", help="Enter it into the register first, if it is not there.")
    ] = False,
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", help="For --create; the only one if there is one.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; it costs money.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    version: Seen = None,
    waits: Wait = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Make a tenant's servers and take its plane into service, or leave nothing behind."""
    body = _asked(octet, shape, workers, locations, types, volume_gb, egress, encrypted, reuse_volume, release)
    if create and not dry_run:
        _entered(tenant, project, octet, token)
    made = planned(tenant, body, token)
    if dry_run:
        show(made, as_json=as_json)
        return
    if not as_json:
        print_plan(made)
    for problem in made["problems"]:
        raise CommandFailed(problem["code"], problem["message"], problem["remedy"], exit_code=Exit.REFUSED)
    if not yes:
        confirm(tenant, made)
    expected = ["plan", *(step["step"] for step in made["steps"] if step["standing"] != "done")]
    begin(
        tenant,
        "provision",
        body | {"reason": reason},
        version=version,
        waits=waits,
        as_json=as_json,
        token=token,
        expected=expected,
    )


def _entered(tenant: str, project: str | None, octet: int | None, token: str | None) -> None:
    """The tenant is in the register, now if not before.

    Raises:
        CommandFailed: `project_unnamed`.
    """
    with control_client(token) as client:
        try:
            client.json("GET", f"/tenants/{named(tenant)}")
        except FrostbyteError as error:
            if error.code != "tenant_not_found":
                raise
        else:
            return
        if project is None:
            names = [row["project_id"] for row in client.json("GET", "/projects")["projects"]]
            if len(names) != 1:
                raise CommandFailed(
                    "project_unnamed",
                    f"The tenant is new, and there are {len(names)} projects that it could belong to.",
                    "Name one with --project; `frostbyte project list` shows them.",
                )
            project = names[0]
        changed(client, "/tenants", {"tenant_id": tenant, "project_id": project, "octet": octet, "config": {}})


def confirm(tenant: str, made: dict[str, Any]) -> None:
    """Ask for leave to spend. Raises CommandFailed("confirmation_missing") where nobody can be asked."""
    if not sys.stdin.isatty():
        raise CommandFailed(
            "confirmation_missing",
            f"This costs {made['monthly']} {made['currency']} a month, and nobody is there to be asked.",
            "Say --yes, or look at it first: --dry-run.",
        )
    if not typer.confirm(f"Order this for {tenant}, {made['monthly']} {made['currency']} a month?", err=True):
        raise typer.Exit(Exit.REFUSED)


def drift(tenant: Tenant, as_json: AsJson = False, token: ControlToken = None) -> None:
    """Compare what is at the cloud with what was made. Exit 3: it differs."""
    with control_client(token) as client:
        found = client.json("GET", f"/tenants/{named(tenant)}/drift")
    differences = found["differences"]
    if as_json:
        print_json(found)
    elif not differences:
        out().print(text("✓ ", "green") + text("Everything is as it was made."))
    else:
        shown = table("=name", "kind", "what", "field", "expected", "found", "repair")
        for one in differences:
            shown.add_row(
                text(one["name"]),
                text(one["kind"].replace("_", " ")),
                text(_WHAT.get(one["what"], one["what"]), "yellow"),
                *(text(one[name] or "") for name in ("field", "expected", "found")),
                text("yes", "green") if one["mended"] else text("a person", "yellow"),
            )
        out().print(shown)
        hint(f"What is put right about it: frostbyte tenant repair {tenant} --dry-run")
    if differences:
        raise typer.Exit(Exit.PROBLEMS)


def _asked(
    octet: int | None,
    shape: str | None,
    workers: int | None,
    locations: list[str] | None,
    types: list[str] | None,
    volume_gb: int | None,
    egress: list[str] | None,
    encrypted: bool | None,
    reuse_volume: bool,
    release: str | None,
) -> dict[str, Any]:
    """The body of a request: what was said, and nothing else."""
    said = {
        "octet": octet,
        "shape": shape,
        "workers": workers,
        "locations": [part for each in locations for part in each.split(",")] if locations else None,
        "types": _types(types) if types else None,
        "volume_gb": volume_gb,
        "egress": egress or None,
        "encrypted": encrypted,
        "reuse_volume": reuse_volume or None,
        "release": release,
    }
    return {name: value for name, value in said.items() if value is not None}


def _types(given: list[str]) -> dict[str, list[str]]:
    """Roles with their server types. Raises CommandFailed("type_invalid")."""
    found: dict[str, list[str]] = {}
    for each in given:
        role, between, names = each.partition("=")
        if not between or not names:
            raise CommandFailed("type_invalid", f"{each} is no server type of a role.", "Write it as db=ccx23,cx43")
        found[role] = names.split(",")
    return found


def planned(tenant: str, body: dict[str, Any], token: str | None) -> dict[str, Any]:
    """The plan for what is asked for."""
    with control_client(token) as client:
        made: dict[str, Any] = client.json("POST", f"/tenants/{named(tenant)}/plan", body=body)
    return made


def show(made: dict[str, Any], *, as_json: bool) -> None:
    """The plan and what stands in its way. Exit 3 where something does."""
    if as_json:
        print_json(made)
    else:
        print_plan(made)
        for problem in made["problems"]:
            err().print(text("✗ ", "bold red") + text(problem["message"]), soft_wrap=True)
            err().print(text("  try ", "bold green") + text(problem["remedy"]), soft_wrap=True)
    if made["problems"]:
        raise typer.Exit(Exit.PROBLEMS)


def print_plan(made: dict[str, Any]) -> None:
    """The plan for people."""
    console = out()
    about = f"{made['shape']}, {made['hostname']}, network {made['network']['cidr']}"
    console.print(text(made["tenant_id"], "bold") + text(f"  {about}", "dim"))
    console.print(_servers(made))
    console.print(_steps(made))
    place = made["residency"]
    console.print(
        text("Residency  ", "bold")
        + text(f"{', '.join(place['locations'])} ({', '.join(place['countries'])}), zone {place['zone']}; nowhere else")
    )
    console.print(text("Way out    ", "bold") + text(", ".join(made["egress"]) or "none"))
    console.print(text("Cost       ", "bold") + text(f"{made['monthly']} {made['currency']} a month, net"))
    console.print(text("Takes      ", "bold") + text(f"about {_minutes(made['seconds'])}"))
    _print_changes(made)
    for warning in made["warnings"]:
        err().print(text("! ", "yellow") + text(warning), soft_wrap=True)


def _servers(made: dict[str, Any]) -> Any:
    shown = table("=host", "=address", "=type", "=place", ">memory", ">needed", ">monthly", "otherwise")
    for one in made["servers"]:
        usable = one["usable_mb"]
        shown.add_row(
            text(one["host"]),
            text(made["addresses"][one["host"]]) + text(" public" if one["public"] else "", "dim"),
            text(one["type"] or "none", "" if one["type"] else "bold red"),
            text(f"{one['location']} {one['country'] or ''}" if one["location"] else ""),
            text(f"{usable:,} MB" if usable else ""),
            text(f"{one['needed_mb']:,} MB"),
            text(one["monthly"] or ""),
            text("stays" if one["kept"] else ", ".join(one["otherwise"][:3]), "dim"),
        )
    return shown


def _steps(made: dict[str, Any]) -> Any:
    shown = table(">", "=step", "what", "=stands", ">monthly")
    for number, step in enumerate(made["steps"], 1):
        words, style = _STANDING.get(step["standing"], (step["standing"], ""))
        shown.add_row(
            text(number),
            text(step["step"]),
            text(step["name"] or said(step["step"]).rpartition(": ")[2], "" if step["name"] else "dim"),
            text(words, style),
            text(step["monthly"] or ""),
        )
    return shown


def _print_changes(made: dict[str, Any]) -> None:
    for change in made["changes"]:
        parts = [_change(name, change["was"][name], change["wanted"][name]) for name in change["wanted"]]
        out().print(text("Changes    ", "bold yellow") + text(f"{change['step']}: {'; '.join(parts)}"), soft_wrap=True)
    for step in made["surplus"]:
        out().print(text("Left over  ", "bold yellow") + text(f"{step}: not wanted any more"))


def _change(name: str, was: Any, wanted: Any) -> str:
    """What is to be otherwise; of lists and tables only what comes and goes."""
    if isinstance(was, list) and isinstance(wanted, list):
        before, after = [_word(item) for item in was], [_word(item) for item in wanted]
    elif isinstance(was, dict) and isinstance(wanted, dict):
        before, after = ([f"{key} {_word(item)}" for key, item in each.items()] for each in (was, wanted))
    else:
        return f"{name} {_word(was)} → {_word(wanted)}"
    parts = [f"-{item}" for item in before if item not in after] + [f"+{item}" for item in after if item not in before]
    return f"{name} {', '.join(parts) or 'in another order'}"


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values() if item)
    return ", ".join(map(_word, value)) if isinstance(value, list) else str(value)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
