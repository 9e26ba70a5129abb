"""What every command that talks to the control plane needs."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import uuid4

import typer

from frostbyte.cli.client import CONTROL, Client, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.kernel.errors import FrostbyteError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_COMPLETION_SECONDS: Final = 2.0
"""A shell that completes a name does not wait longer for it."""
_TRIES: Final = 3
"""How often a change is sent whose answer did not come."""


def control_client(token: str | None) -> Client:
    """A client of the control plane."""
    return Client(find_token(token, CONTROL), server=CONTROL)


def named(value: str) -> str:
    """The name of a tenant or project as a path segment: whatever a user typed cannot become another route.

    Raises:
        CommandFailed: `name_invalid`.
    """
    if not _NAME.fullmatch(value):
        raise CommandFailed(
            "name_invalid", f"{value} is not a name.", "Names are small letters and digits: frostbyte tenant list"
        )
    return value


def changed(client: Client, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    """POST once, however often it has to be sent: with the same key the second answer is the first one again."""
    key = {"Idempotency-Key": str(uuid4())}
    for left in reversed(range(_TRIES)):
        try:
            return client.json("POST", path, body=body, headers=key | (headers or {}))
        except FrostbyteError as error:
            if error.code != "connection_lost" or not left:
                raise
    raise AssertionError("not reached")


def complete_tenant(context: typer.Context, incomplete: str) -> list[str]:
    """Tenants whose names begin so; none where the control plane does not answer at once."""
    try:
        token = find_token(context.params.get("token"), CONTROL)
        with Client(token, server=CONTROL) as client:
            client.limit(_COMPLETION_SECONDS)
            found = client.json("GET", "/tenants", params={"prefix": incomplete or None, "limit": 50})
    except FrostbyteError:
        return []
    return [row["tenant_id"] for row in found["tenants"]]
