"""What of a tenant exists at the cloud, or may: shown where something failed, so that nothing is forgotten."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.cli.client import Client
from frostbyte.cli.control import named
from frostbyte.cli.output import count_text, err, table, text
from frostbyte.kernel.errors import FrostbyteError

_STATES: Final = {
    "intended": "asked for; whether it is there is not known",
    "done": "there",
    "undoing": "being taken away",
}


def remains(client: Client, tenant: str) -> list[dict[str, Any]]:
    """Resources of a tenant that exist or may. None where the control plane makes no hosts, or cannot say now."""
    try:
        found = client.json("GET", f"/tenants/{named(tenant)}/resources")
    except FrostbyteError:
        return []
    return [row for row in found["resources"] if row["kind"]]


def print_remains(client: Client, tenant: str) -> None:
    """Say what remains, on stderr; nothing where nothing does."""
    rows = remains(client, tenant)
    if not rows:
        return
    shown = table(
        "=name", "kind", "=id", "state", "code", title=f"{count_text(len(rows), 'resource')} of {tenant} left"
    )
    for row in rows:
        shown.add_row(
            text(row["name"]),
            text(row["kind"].replace("_", " ")),
            text(row["resource_id"] or ""),
            text(_STATES.get(row["state"], row["state"])),
            text(row["code"] or ""),
        )
    err().print(shown)
