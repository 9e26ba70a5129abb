"""`frostbyte project`: what tenants are grouped by."""

from __future__ import annotations

from typing import Annotated

import typer

from frostbyte.cli.control import changed, control_client
from frostbyte.cli.options import AsJson, ControlToken, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("Projects of the control plane: what tenants are grouped by.")


@app.command("create")
def create(
    project: Annotated[str, typer.Argument(help="Its name: small letters, digits and hyphens.", show_default=False)],
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Make a project. It stays: projects are not removed."""
    with control_client(token) as client:
        made = changed(client, "/projects", {"project_id": project})
    if as_json:
        print_json(made)
    else:
        out().print(text("Made ", "green") + text(made["project_id"], "bold"))
        hint(f"Put a tenant into it: frostbyte tenant create NAME --project {made['project_id']}")


@app.command("list")
def show_all(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """List projects."""
    with control_client(token) as client:
        found = client.json("GET", "/projects", params={"limit": limit})
    if as_json:
        print_json(found)
        return
    if not found["projects"]:
        out().print(text("There is none yet."))
        hint("Make one: frostbyte project create eu-1")
        return
    shown = table("=project", "environment", "since")
    for row in found["projects"]:
        shown.add_row(text(row["project_id"]), text(row["environment"]), text(row["created_at"][:10]))
    out().print(shown)
    if found["cursor"]:
        hint(f"There are more than {limit}: use --limit")
