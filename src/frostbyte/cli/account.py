"""`frostbyte account`: who may sign in at a plane's console or, with --control, at the control plane's.

On the server's own host the commands find a token in its data folder, so an administrator who lost everything is
recovered there and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from frostbyte.cli.client import CONTROL, PLANE, Client, Server, base_url, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.granting import AtControl
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("Accounts of people, who sign in with a browser.")

Name = Annotated[str, typer.Argument(help="What they are called, here and in the audit.", show_default=False)]
_ROLES: Final = (
    "At a plane vendor, user, reviewer, auditor or admin; with --control viewer, operator, auditor or admin."
)
Role = Annotated[str, typer.Option("--role", help=_ROLES, show_default=False)]
At = Annotated[
    str,
    typer.Option("--at", help="Where people reach the console, as https://acme.example.org. Else the address here."),
]
_STYLE: Final = {"active": "green", "invited": "yellow", "disabled": "red"}


@app.command("create")
def create(
    name: Name, role: Role, at: At = "", control: AtControl = False, as_json: AsJson = False, token: Token = None
) -> None:
    """Make an account. Its link is shown once: whoever opens it chooses password and authenticator."""
    server = _server(control)
    with Client(find_token(token, server), server=server) as client:
        made = client.json("POST", "/accounts", body={"name": name, "role": role})
    _hand_over(made, at, server, as_json=as_json)


@app.command("list")
def list_(control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """List accounts: their roles, whether they are set up or disabled, and how long links are good."""
    server = _server(control)
    with Client(find_token(token, server), server=server) as client:
        rows = _all(client)
    if as_json:
        print_json({"accounts": rows})
        return
    shown = table("=name", "role", "state", "made", "by", "link until")
    for row in rows:
        until = row["link_until"] or "-"
        shown.add_row(
            text(row["name"]),
            text(row["role"]),
            text(row["state"], _STYLE[row["state"]]),
            text(row["created_at"][:10]),
            text(row["created_by"]),
            text(until[:16].replace("T", " ")),
        )
    out().print(shown)


@app.command("link")
def link(name: Name, at: At = "", control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """Make a new link for somebody who lost password or phone. What is good now stays so until it is used."""
    _hand_over(_do(name, "POST", "link", control, token), at, _server(control), as_json=as_json)


@app.command("recover")
def recover(name: Name, at: At = "", control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """Begin anew with an account: enabled again, opened by nothing of before, with a new link."""
    _hand_over(_do(name, "POST", "recover", control, token), at, _server(control), as_json=as_json)


@app.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help=_ROLES, show_default=False)],
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Give an account another role. It counts at once: open sessions end."""
    _said(_do(name, "PUT", "role", control, token, {"role": role}), as_json)


@app.command("disable")
def disable(name: Name, control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """Let nobody in with an account from now on. The name stays in the audit and becomes nobody else's."""
    _said(_do(name, "POST", "disable", control, token), as_json)


def _server(control: bool) -> Server:
    return CONTROL if control else PLANE


def _all(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.json("GET", "/accounts", params={"cursor": cursor, "limit": 500})
        rows += page["accounts"]
        cursor = page["cursor"]
    return rows


def _do(
    name: str, method: str, what: str, control: bool, token: str | None, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Do it to the account of this name, which stands in no address.

    Raises CommandFailed: `account_not_found`.
    """
    server = _server(control)
    with Client(find_token(token, server), server=server) as client:
        found = next((row for row in _all(client) if row["name"] == name.strip().lower()), None)
        if found is None:
            raise CommandFailed(
                "account_not_found",
                "There is no such account.",
                "List them: `frostbyte account list`.",
                exit_code=Exit.NOT_FOUND,
            )
        done: dict[str, Any] = client.json(method, f"/accounts/{found['account_id']}/{what}", body=body)
    return done


def _hand_over(made: dict[str, Any], at: str, server: Server, *, as_json: bool) -> None:
    made = made | {"link": (at or base_url(server)).rstrip("/") + made["link"]}
    if as_json:
        print_json(made)
        return
    print(made["link"])
    hint(f"For {made['name']} ({made['role']}): good once, until {made['link_until'][:16].replace('T', ' ')} UTC.")
    hint("It is shown here and never again; whoever opens it first has the account.")


def _said(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        out().print(text(f"{row['name']}: {row['role']}, {row['state']}."))
