"""`frostbyte tenant hosts`: where a tenant's hosts are, and how a person gets onto them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.control import control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.operations import Tenant
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import hint, out, print_json, table, text

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.ASCII)
_KEY: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]{1,200}", re.ASCII)


def hosts(
    tenant: Tenant,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--ssh", help="Write what `ssh -F` needs there: the way to each host, and its key.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Show a tenant's hosts. With --ssh: how to get onto them, each recognised by the key that was pinned for it."""
    with control_client(token) as client:
        found = client.json("GET", f"/tenants/{named(tenant)}/hosts")
    if folder is not None:
        _write(folder, found["hosts"])
    if as_json:
        print_json(found)
        return
    own = [host for host in found["hosts"] if not host["between"]]
    shown = table("=name", "=address", "through")
    for host in own:
        shown.add_row(text(host["name"]), text(host["address"]), text(", ".join(host["via"]) or "-"))
    out().print(shown)
    if folder is not None and own:
        hint(f"ssh -F {folder / 'config'} {own[0]['name']}")
    elif folder is None:
        hint(f"How to get onto them: frostbyte tenant hosts {tenant} --ssh FOLDER")


def _write(folder: Path, found: list[dict[str, Any]]) -> None:
    """A configuration of OpenSSH (ssh_config(5)) that believes only the pinned keys.

    Raises:
        CommandFailed: `file_unwritable`; `host_unsafe`: an answer that is no name, address or key.
    """
    place = folder.absolute()
    config, keys = list[str](), list[str]()
    for host in found:
        names = (host["name"], host["address"], host["user"], *host["via"])
        if not all(_NAME.fullmatch(str(each)) for each in names) or not _KEY.fullmatch(str(host["host_key"])):
            raise CommandFailed("host_unsafe", "The answer holds what no host is called.", "Check what answered.")
        config += [
            f"Host {host['name']}",
            f"  HostName {host['address']}",
            f"  Port {int(host['port'])}",
            f"  User {host['user']}",
            f"  HostKeyAlias {host['name']}",
            f'  UserKnownHostsFile "{place / "known_hosts"}"',
            "  GlobalKnownHostsFile none",
            "  StrictHostKeyChecking yes",
            *([f"  ProxyJump {host['via'][-1]}"] if host["via"] else []),
        ]
        keys.append(f"{host['name']} {host['host_key']}")
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, lines in (("config", config), ("known_hosts", keys)):
            with os.fdopen(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise CommandFailed(
            "file_unwritable", f"{folder} cannot be written ({error.strerror}).", "Name another folder."
        ) from None
