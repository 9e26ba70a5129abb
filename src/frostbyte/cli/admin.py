"""`frostbyte config` and `frostbyte token`: what the plane does, and who may ask it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli.client import TOKEN_FILE, Client, data_dir, find_token, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

config = group("The tenant's configuration.")
tokens = group("Access tokens.")

SCOPES = ("ingest", "query", "source", "review", "erase", "audit", "admin")


@config.command("show")
def show_config(as_json: AsJson = False, token: Token = None) -> None:
    """Show the configuration in force."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/config")
    _print_config(found, as_json=as_json)


@config.command("set")
def set_config(
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What to change.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Change the configuration: a new version, which judges what is processed from now on.

    A list is written with commas: pii_types=SSN,EMAIL
    """
    parsed = dict(map(_pair, changes))
    with Client(find_token(token)) as client:
        answer = client.answer("GET", "/config")
        found = answer.json()
        values = found["values"]
        unknown = sorted(set(parsed) - set(values))
        if unknown:
            raise CommandFailed(
                "setting_unknown", f"There is no setting {unknown[0]}.", f"There are: {', '.join(sorted(values))}."
            )
        wanted = {name: _typed(raw, values[name]) for name, raw in parsed.items()}
        version = answer.headers.get("ETag") or f'"{found["version"]}"'
        changed = client.json("PUT", "/config", body=wanted, headers={"If-Match": version})
    _print_config(changed, as_json=as_json)


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise CommandFailed("change_unreadable", f"{given} is not KEY=VALUE.", "Write it like pii_policy=redact.")
    return name.strip(), value.strip()


def _typed(raw: str, now: Any) -> Any:
    """What was typed, as the type that the setting has now."""
    if isinstance(now, list):
        return [item.strip() for item in raw.split(",") if item.strip()]
    if isinstance(now, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError as error:
        raise CommandFailed("value_unreadable", f"{raw} is not a number.", f"It is {now} now.") from error


def _print_config(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out().print(text(f"version {found['version']}", "bold"))
    shown = table("setting", "value")
    for name, value in found["values"].items():
        shown.add_row(text(name), text(", ".join(map(str, value)) if isinstance(value, list) else value))
    out().print(shown)


@tokens.command("mint")
def mint(
    subject: Annotated[str, typer.Argument(help="Who it is for.", show_default=False)],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help=f"One of {', '.join(SCOPES)}; may be repeated.")],
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="How long it is valid.")] = 60,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it here (0600), do not print it.")
    ] = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Make a token for someone."""
    if wrong := sorted(set(scope) - set(SCOPES)):
        raise CommandFailed("scope_unknown", f"There is no scope {wrong[0]}.", f"There are: {', '.join(SCOPES)}.")
    body = {"subject": subject, "scopes": scope, "ttl_seconds": minutes * 60}
    with Client(find_token(token)) as client:
        made = client.json("POST", "/tokens", body=body)
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(made["token"] + "\n")
        made = {key: value for key, value in made.items() if key != "token"} | {"file": str(output)}
    if as_json:
        print_json(made)
    elif output is not None:
        out().print(text(f"The token is in {output}, for its owner only."))
    else:
        print(made["token"])
    if not as_json:
        hint(f"Revoke it with: frostbyte token revoke {made.get('jti', 'JTI')}")


@tokens.command("revoke")
def revoke(
    jti: Annotated[str, typer.Argument(help="The token's id, from `token mint` or `token show`.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Refuse a token from now on."""
    with Client(find_token(token)) as client:
        client.answer("DELETE", f"/tokens/{segment(jti)}")
    if as_json:
        print_json({"jti": jti, "revoked": True})
    else:
        out().print(text("It is refused from now on.", "green"))


@tokens.command("show")
def show_token(
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the token itself, for use elsewhere.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Say whose token is used here, what it may and how long. Its signature is not checked: the plane does that."""
    raw = find_token(token)
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
    hint(f"From --token, FROSTBYTE_TOKEN, FROSTBYTE_TOKEN_FILE or {data_dir() / TOKEN_FILE}; --reveal prints it")


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
