"""`frostbyte tenant credentials`: what a tenant's host is given before its plane is attached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.control import complete_tenant
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import hint, out, print_json, text


def credentials(
    tenant: Annotated[
        str, typer.Argument(help="The tenant's name.", show_default=False, autocompletion=complete_tenant)
    ],
    hosts: Annotated[
        list[str],
        typer.Option("--host", help="Name or address of its host; again for each.", show_default=False),
    ],
    folder: Annotated[Path, typer.Option("--out", help="Where to write them.", show_default=False)],
    at: Annotated[
        Path | None,
        typer.Option("--at", help="Where the folder will lie on that host; else as here.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the certificates, pinned keys and settings of a tenant's host; type it beside the control plane's data.

    Again after some months: certificates are made anew after two thirds of their life, and a running plane reads them.
    """
    from frostbyte.bootstrap.handover import hand_over
    from frostbyte.control_plane.settings import load

    files = hand_over(load(), tenant, hosts, folder, (at or folder).absolute())
    if as_json:
        print_json({"tenant": tenant, "files": [str(file) for file in files]})
        return
    for file in files:
        out().print(text(str(file)), soft_wrap=True)
    hint(
        "Bring the folder to the tenant's host, over a way that nobody listens on, and start its plane with plane.env."
    )
    hint(f"Or on this host: frostbyte deploy compose --tenant {tenant} --channel {folder} --out plane-{tenant}")
