"""`frostbyte deliver`: signed sets of signatures, packages and images, and their way to all tenants."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.client import Client, segment
from frostbyte.cli.control import changed, control_client
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken, group
from frostbyte.cli.output import hint, out, print_json, size_text, table, text
from frostbyte.kernel.errors import Invalid

app = group("Bring tenants' hosts fresh signatures, packages and images, from signed sets.")
POLL_SECONDS: Final = 3.0
_NOT_BELIEVED: Final = frozenset({"supply_unsigned", "supply_damaged"})
"""A set that is not as somebody who is trusted signed it: no fault of the command line."""
_STYLE: Final = {"succeeded": "green", "failed": "bold red", "running": "yellow", "waiting": "dim"}


@app.command("make")
def make(
    out_folder: Annotated[Path, typer.Option("--out", help="Below which the set's folder is written.")] = Path(),
    signatures: Annotated[
        Path | None, typer.Option("--signatures", help="A folder with all of the scanner's databases.")
    ] = None,
    packages: Annotated[Path | None, typer.Option("--packages", help="A folder of Debian packages.")] = None,
    image: Annotated[
        list[str] | None, typer.Option("--image", help="KEY=ARCHIVE of `docker save`, as often as needed.")
    ] = None,
    version: Annotated[str, typer.Option("--version", help="Of Frostbyte, that the images are of.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="Signs it: a key of OpenSSH.")] = None,
    created_at: Annotated[
        str, typer.Option("--created-at", help="When the set says it was made (UTC).", show_default="now")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a signed set, on any machine. Without a key nobody takes it."""
    from frostbyte import __version__
    from frostbyte.deploy.supply import making

    folder, supply = making.make(
        out_folder,
        created_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signatures=signatures,
        packages=packages,
        images=_pairs(image or []),
        version=version or __version__,
        key=key,
    )
    if as_json:
        print_json({"folder": str(folder), "supply_id": supply.supply_id, "parts": list(supply.parts)})
    else:
        out().print(text(str(folder)))
        hint("Unsigned: nobody takes it." if key is None else "Signed. At the control plane: frostbyte deliver take.")


@app.command("trust")
def trust(
    signers: Annotated[Path, typer.Argument(help="ssh-keygen's list of allowed signers.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Believe these signers from now on, and nobody else. Typed on the control plane's host."""
    from frostbyte.bootstrap import supplies
    from frostbyte.control_plane import settings

    listed = supplies.trust(settings.load().provisioning, signers)
    if as_json:
        print_json({"signers": len(listed.splitlines())})
    else:
        out().print(text(listed, lines=True), soft_wrap=True)


@app.command("take")
def take(
    folder: Annotated[Path, typer.Argument(help="A set, or a whole bundle.", show_default=False)],
    older: Annotated[bool, typer.Option("--older", help="Even if a newer one was taken already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a signed set and keep it in the control plane's data folder. Typed on its host, while it runs."""
    from frostbyte.bootstrap import supplies
    from frostbyte.control_plane import settings

    try:
        supply = supplies.take(settings.load().provisioning, folder, older=older)
    except Invalid as error:
        if error.code not in _NOT_BELIEVED:
            raise
        raise CommandFailed(error.code, error.message, error.remedy, exit_code=Exit.VERIFICATION_FAILED) from error
    if as_json:
        print_json({"supply_id": supply.supply_id, "parts": list(supply.parts)})
        return
    pieces = [*supply.signatures, *supply.packages, *supply.images]
    size = size_text(sum(piece.size for piece in pieces))
    out().print(text(f"{supply.supply_id}: ", "bold") + text(f"{', '.join(supply.parts)}, {len(pieces)} files, {size}"))
    hint(f"Deliver it: frostbyte deliver begin {supply.supply_id}")


@app.command("begin")
def begin(
    supply: Annotated[str, typer.Argument(help="Id of a set that was taken.", show_default=False)],
    canary: Annotated[str, typer.Option("--canary", help="The tenant that gets it first.")] = "",
    tenant: Annotated[list[str] | None, typer.Option("--tenant", help="Only these, as often as needed.")] = None,
    part: Annotated[
        list[str] | None, typer.Option("--part", help="signatures, packages or images; all if none is named.")
    ] = None,
    soak: Annotated[int, typer.Option("--soak", min=0, help="Seconds that the canary is looked at.")] = 60,
    older: Annotated[bool, typer.Option("--older", help="Even where a tenant has a newer one.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="A code for the audit.")] = "requested",
    waits: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or return at once.")] = True,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Deliver a set: the canary first, looked at, then the others one by one. The first failure stops it."""
    body = {
        "supply": supply,
        "canary": canary,
        "tenants": tenant or [],
        "parts": part or [],
        "soak_seconds": soak,
        "older": older,
        "reason": reason,
    }
    with control_client(token) as client:
        found: dict[str, Any] = changed(client, "/deliveries", body)
        if waits:
            found = _followed(client, found, quiet=as_json)
    if as_json:
        print_json(found)
    else:
        _print([found])
    if found["status"] == "failed":
        raise CommandFailed(
            "delivery_failed",
            f"It stopped at {found['stopped_at'] or 'its end'}: {found['code']}.",
            "That tenant has again what it had. docs/fresh.md says what to do.",
            exit_code=Exit.PROBLEMS,
        )


@app.command("status")
def status(
    delivery: Annotated[
        str | None, typer.Argument(help="One delivery; else the last ones.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show what was taken, and how far deliveries are."""
    with control_client(token) as client:
        if delivery is not None:
            found = client.json("GET", f"/deliveries/{segment(delivery)}")
            shown, taken = [found], []
        else:
            found = client.json("GET", "/deliveries") | client.json("GET", "/supplies")
            shown, taken = found["deliveries"], found["supplies"]
    if as_json:
        print_json(found)
        return
    if taken:
        listed = table("=set", "holds", "signatures of", ">packages", "version")
        for one in taken:
            made = (one["signatures_made_at"] or "-")[:10]
            words = (one["supply_id"], ", ".join(one["parts"]), made, len(one["packages"]), one["version"] or "-")
            listed.add_row(*(text(str(word)) for word in words))
        out().print(listed)
    _print(shown)


@app.command("stop")
def stop(
    delivery: Annotated[str, typer.Argument(help="Id of a delivery that is under way.", show_default=False)],
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Bring it to no further tenant. What is under way at one goes on to its end."""
    with control_client(token) as client:
        found = changed(client, f"/deliveries/{segment(delivery)}/stop", {})
    if as_json:
        print_json(found)
    else:
        _print([found])


def _followed(client: Client, found: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    said: dict[str, str] = {}
    while True:
        for item in found["tenants"]:
            if not quiet and item["status"] not in ("waiting", said.get(item["tenant_id"])):
                said[item["tenant_id"]] = item["status"]
                hint(f"{item['tenant_id']}: {item['status']}")
        if found["status"] != "running":
            return found
        time.sleep(POLL_SECONDS)
        found = client.json("GET", f"/deliveries/{segment(found['round_id'])}")


def _print(deliveries: list[dict[str, Any]]) -> None:
    if not deliveries:
        out().print(text("Nothing was delivered yet."))
        return
    listed = table("=delivery", "set", "state", "tenants", "began")
    for one in deliveries:
        done = sum(item["status"] == "succeeded" for item in one["tenants"])
        state = one["status"] + (f" at {one['stopped_at'] or 'its end'}: {one['code']}" if one["code"] else "")
        listed.add_row(
            text(one["round_id"]),
            text(str(one["request"].get("supply", "-"))),
            text(state, _STYLE[one["status"]]),
            text(f"{done} of {len(one['tenants'])}"),
            text(one["started_at"][:16]),
        )
    out().print(listed)


def _pairs(words: list[str]) -> dict[str, Path]:
    found = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise CommandFailed("option_pair", f"{word} is no KEY=ARCHIVE.", "Write it as api=api.tar.")
        found[name] = Path(path)
    return found
