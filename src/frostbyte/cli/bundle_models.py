"""`frostbyte bundle models`: what install.sh and update.sh run in a container for models and signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.options import AsJson
from frostbyte.cli.output import hint, print_json


def models(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.", show_default=False)],
    into: Annotated[Path, typer.Option("--models", help="The embedder's folder.", show_default=False)],
    signatures: Annotated[Path, typer.Option("--clamav", help="The scanner's folder.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Put a bundle's models and signatures in their place, each whole and checked; what is there and right stays."""
    from frostbyte.deploy.bundle import layout
    from frostbyte.deploy.bundle.manifest import decode
    from frostbyte.deploy.bundle.placing import place
    from frostbyte.kernel.errors import Invalid

    try:
        data = (bundle / layout.MANIFEST).read_bytes()
    except OSError:
        raise Invalid("bundle_manifest", "There is no MANIFEST.json.", "Name the folder of a bundle.") from None
    done = place(decode(data), bundle, models=into, signatures=signatures)
    if as_json:
        print_json({"copied": list(done.copied), "kept": list(done.kept), "removed": list(done.removed)})
    else:
        hint(f"{len(done.copied)} files copied, {len(done.kept)} were here, {len(done.removed)} of older ones removed.")
