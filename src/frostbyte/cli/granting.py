"""`frostbyte token`, `api-key` and `key`: who may ask a plane or the control plane, and the keys that prove it."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.client import CONTROL, PLANE, TOKEN_FILE, Client, Server, data_dir, find_token, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

tokens = group("Access tokens.")
api_keys = group("API keys for machines.")
keys = group("The keys that sign access tokens.")

SCOPES: Final = {
    PLANE.name: ("ingest", "query", "source", "review", "erase", "audit", "admin"),
    CONTROL.name: ("viewer", "operator", "auditor", "admin"),
}
"""What a token or key may allow, by the kind of server."""
_EVERY: Final = f"One of {', '.join(SCOPES[PLANE.name])}; with --control of {', '.join(SCOPES[CONTROL.name])}."

Scopes = Annotated[list[str], typer.Option("--scope", "-s", help=f"{_EVERY} May be repeated.", show_default=False)]
Secret = Annotated[Path | None, typer.Option("-o", "--output", help="Write it here (0600), do not print it.")]
AtControl = Annotated[
    bool,
    typer.Option(
        "--control", help="At the control plane instead of the plane; see FROSTBYTE_CONTROL_URL and ..._TOKEN."
    ),
]


class Signing(StrEnum):
    """Keys that can be rotated while the server runs."""

    TOKEN = "token"  # noqa: S105 - the name of a key


def _server(control: bool) -> Server:
    return CONTROL if control else PLANE


def _client(server: Server, token: str | None) -> Client:
    return Client(find_token(token, server), server=server)


def _checked(scopes: list[str], server: Server) -> list[str]:
    known = SCOPES[server.name]
    if wrong := sorted(set(scopes) - set(known)):
        raise CommandFailed(
            "scope_unknown", f"There is no scope {wrong[0]} at a {server.name}.", f"There are: {', '.join(known)}."
        )
    return scopes


def handed_over(made: dict[str, Any], name: str, output: Path | None, *, as_json: bool) -> None:
    """Show a secret in the only moment in which it is known, or write it for its owner alone."""
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(made[name] + "\n")
        made = {key: value for key, value in made.items() if key != name} | {"file": str(output)}
    if as_json:
        print_json(made)
    elif output is not None:
        out().print(text(f"The {name} is in {output}, for its owner only."))
    else:
        print(made[name])


@tokens.command("mint")
def mint(
    subject: Annotated[str, typer.Argument(help="Who it is for.", show_default=False)],
    scope: Scopes,
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="How long it is valid.")] = 60,
    output: Secret = None,
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Make a token for someone."""
    server = _server(control)
    body = {"subject": subject, "scopes": _checked(scope, server), "ttl_seconds": minutes * 60}
    with _client(server, token) as client:
        made = client.json("POST", "/tokens", body=body)
    handed_over(made, "token", output, as_json=as_json)
    if not as_json:
        hint(f"Revoke it with: frostbyte token revoke {made.get('jti', 'JTI')}{' --control' if control else ''}")


@tokens.command("revoke")
def revoke(
    jti: Annotated[str, typer.Argument(help="The token's id, from `token mint` or `token show`.", show_default=False)],
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Refuse a token from now on."""
    with _client(_server(control), token) as client:
        client.answer("DELETE", f"/tokens/{segment(jti)}")
    if as_json:
        print_json({"jti": jti, "revoked": True})
    else:
        out().print(text("It is refused from now on.", "green"))


@tokens.command("show")
def show_token(
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the token itself, for use elsewhere.")] = False,
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Say whose token is used here, what it may and how long. Its signature is not checked: the plane does that."""
    server = _server(control)
    raw = find_token(token, server)
    claims = _claims(raw)
    if as_json:
        print_json(claims | ({"token": raw} if reveal else {}))
        return
    if reveal:
        print(raw)
        return
    from datetime import UTC, datetime

    shown = table("claim", "value")
    for name, value in claims.items():
        readable = datetime.fromtimestamp(value, UTC).isoformat() if name in ("exp", "iat", "nbf") else value
        shown.add_row(text(name), text(" ".join(map(str, readable)) if isinstance(readable, list) else readable))
    out().print(shown)
    variable = f"{server.prefix}TOKEN"
    hint(f"From --token, {variable}, {variable}_FILE or {data_dir(server) / TOKEN_FILE}; --reveal prints it")


def _claims(raw: str) -> dict[str, Any]:
    import base64

    try:
        payload = raw.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError) as error:
        raise CommandFailed(
            "token_malformed", "This is not a token of Frostbyte's.", "Check where it is from."
        ) from error
    if not isinstance(claims, dict):
        raise CommandFailed("token_malformed", "This is not a token of Frostbyte's.", "Check where it is from.")
    return claims


@api_keys.command("create")
def create_api_key(
    name: Annotated[str, typer.Argument(help="What it is for; keys of one name are one subject.", show_default=False)],
    scope: Scopes,
    days: Annotated[int | None, typer.Option("--days", min=1, help="How long it is valid; else until revoked.")] = None,
    output: Secret = None,
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Make a key for a machine. It is shown once and never again."""
    server = _server(control)
    body = {"name": name, "scopes": _checked(scope, server), "ttl_seconds": days and days * 86_400}
    with _client(server, token) as client:
        made = client.json("POST", "/api-keys", body=body)
    handed_over(made, "key", output, as_json=as_json)
    if not as_json:
        hint(f"Revoke it with: frostbyte api-key revoke {made['key_id']}{' --control' if control else ''}")


@api_keys.command("list")
def list_api_keys(control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """List keys of machines: what for, what they may, when they were used; never the keys."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    with _client(_server(control), token) as client:
        while cursor is not None:
            page = client.json("GET", "/api-keys", params={"cursor": cursor, "limit": 500})
            rows += page["api_keys"]
            cursor = page["cursor"]
    if as_json:
        print_json({"api_keys": rows})
        return
    shown = table("id", "name", "scopes", "made", "last used", "until", "state")
    for row in sorted(rows, key=lambda row: (row["name"], row["created_at"])):
        days = (_day(row[at]) for at in ("created_at", "last_used_at", "expires_at"))
        state = "revoked" if row["revoked_at"] else "good"
        shown.add_row(*map(text, (row["key_id"], row["name"], " ".join(row["scopes"]), *days, state)))
    out().print(shown)


def _day(moment: str | None) -> str:
    return "-" if moment is None else moment[:10]


@api_keys.command("revoke")
def revoke_api_key(
    key_id: Annotated[str, typer.Argument(help="The key's id: what stands between fbk_ and _.", show_default=False)],
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Refuse a machine's key from now on."""
    key_id = key_id.strip()
    if len(key_id) != 12 or not (key_id.isascii() and key_id.isalnum()):
        raise CommandFailed(
            "key_id_invalid", "This is not the id of an API key.", "It has 12 characters: `frostbyte api-key list`."
        )
    with _client(_server(control), token) as client:
        client.answer("DELETE", f"/api-keys/{key_id}")
    if as_json:
        print_json({"key_id": key_id, "revoked": True})
    else:
        out().print(text("It is refused from now on.", "green"))


@keys.command("list")
def list_keys(control: AtControl = False, as_json: AsJson = False, token: Token = None) -> None:
    """List the verifying keys of the keys that sign tokens: the current one, and the one still accepted."""
    with _client(_server(control), token) as client:
        found = client.json("GET", "/keys")
    _print_keys(found, as_json=as_json)


Force = Annotated[
    bool, typer.Option("--force", help="Also where planes have not heard of the new key and will need it by hand.")
]
Which = Annotated[Signing, typer.Argument(help="Which key.", show_default=False)]


@keys.command("rotate")
def rotate_key(
    which: Which,
    retire_old: Annotated[
        bool, typer.Option("--retire-old", help="Accept no older key from now on: somebody else may have it.")
    ] = False,
    force: Force = False,
    control: AtControl = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Let a new key sign. Tokens of the old one are good until they end, unless it is retired."""
    with _client(_server(control), token) as client:
        found = client.json("POST", "/keys/rotate", body={"retire_old": retire_old, "force": force})
    _print_keys(found, as_json=as_json)
    if not as_json:
        at = " --control" if control else ""
        hint(
            "Every token that was given out is refused from now on."
            if retire_old
            else f"When nobody uses tokens of the old key any more: frostbyte key retire token{at}"
        )


@keys.command("retire")
def retire_key(
    which: Which, force: Force = False, control: AtControl = False, as_json: AsJson = False, token: Token = None
) -> None:
    """Accept no token of the previous key from now on."""
    with _client(_server(control), token) as client:
        found = client.json("POST", "/keys/retire", body={"force": force})
    _print_keys(found, as_json=as_json)


def _print_keys(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    shown = table("id", "state", "since", "accepted until", "verifying key")
    for key in found["keys"]:
        days = _day(key.get("since")), _day(key.get("accepted_until"))
        shown.add_row(*map(text, (key["kid"], key["state"], *days, key["key"])))
    out().print(shown)
