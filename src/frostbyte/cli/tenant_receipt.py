"""`frostbyte tenant receipt`, `confirm-recovery-destroyed`, `verify-receipt`: what is left of a tenant that is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli.control import changed, complete_tenant, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, table, text

Tenant = Annotated[
    str, typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant, metavar="TENANT")
]
_STYLE = {"final": "green", "pending": "yellow"}


def receipt(
    tenant: Tenant,
    file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write it there, to be checked offline.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show the signed receipt of a tenant's destruction: what is gone, what was kept, what is still to be destroyed."""
    with control_client(token) as client:
        found = client.json("GET", f"/tenants/{named(tenant)}/receipt")
    if file is not None:
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
        return
    _print(found["state"], found["receipt"], found["confirmation"])
    hint(f"Signed by {found['key']}")


def confirm(
    tenant: Tenant,
    recovery: Annotated[
        str | None,
        typer.Option("--recovery", help="The identity's public key (age1...); else asked for.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Say that every copy of a destroyed tenant's recovery identity is destroyed too: its receipt becomes final."""
    if recovery is None:
        recovery = str(typer.prompt("Public key of the recovery identity that you destroyed (age1...)", err=True))
    with control_client(token) as client:
        found = changed(client, f"/tenants/{named(tenant)}/recovery-destroyed", {"recovery": recovery.strip()})
    if as_json:
        print_json(found)
    else:
        _print(found["state"], found["receipt"], found["confirmation"])


def verify(
    file: Annotated[Path, typer.Argument(help="What `tenant receipt --out` wrote.", show_default=False)],
    key: Annotated[
        str,
        typer.Option("--key", "-k", help="The control plane's key, got by another way.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Check a receipt offline: by a key that you know, and nothing that the file itself says of it."""
    from frostbyte.control_plane.provisioning.receipt import check
    from frostbyte.kernel.audit.checkpoint import public_key
    from frostbyte.kernel.errors import Invalid

    try:
        notes = json.loads(file.read_text(encoding="utf-8"))["notes"]
        assert isinstance(notes, list)
        assert all(isinstance(note, str) for note in notes)
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise CommandFailed(
            "receipt_malformed", "The file holds no receipt.", "Name what `frostbyte tenant receipt --out` wrote."
        ) from None
    try:
        found = check(notes, public_key(key))
    except Invalid as error:
        raise CommandFailed(error.code, error.message, error.remedy, exit_code=Exit.VERIFICATION_FAILED) from None
    if as_json:
        print_json({"state": found.state.value, "receipt": dict(found.said), "signed_by": key})
    else:
        _print(found.state.value, found.said, found.confirmed)


def _print(state: str, said: Any, confirmed: Any) -> None:
    out().print(
        text(f"{said['tenant_id']}: ", "bold") + text(state, _STYLE[state]) + text(f", issued {said['issued_at']}")
    )
    shown = table("what", "name", "at")
    for one in said["resources"]:
        shown.add_row(text(one["kind"]), text(f"{one['name']} ({one['id']})"), text(one["at"][:19]))
    for part in ("stores", "keys", "certificates"):
        for one in said[part]:
            shown.add_row(text(part), text(one["what"]), text(one["at"][:19]))
    out().print(shown)
    for one in said["kept"]:
        out().print(text(f"kept: {one['kind']} {one['name']} ({one['id']})", "yellow"), soft_wrap=True)
    out().print(text(f"audit: {sum(log['size'] for log in said['logs'])} events in the ledger"))
    out().print(text(f"originals handed out: {said['handed_out']['sources']}"))
    for recovery in said["recovery"]:
        if confirmed:
            how = text(f"destroyed, says {confirmed['actor']} at {confirmed['confirmed_at'][:19]}", "green")
        else:
            how = text("to be destroyed offline, with every backup of it", "yellow")
        out().print(text(f"recovery identity {recovery}: ") + how, soft_wrap=True)
