"""`frostbyte bundle delta` and `bundle assemble`: what a host lacks of the next one, put together there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.bundle import app, key_missing, progress
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import err, hint, out, print_json, size_text, text


@app.command("delta")
def delta(
    old: Annotated[Path, typer.Argument(help="The bundle that the host has.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="The bundle that it is to have.", show_default=False)],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder that the delta's folder is made in.")],
    key: Annotated[Path | None, typer.Option("--key", help="SSH key that signs it.")] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Sign nothing: no host will believe it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry only what a host lacks: the layers, models and files that differ between two bundles."""
    from frostbyte.deploy.bundle import delta as making

    if (key is None) != unsigned:
        raise key_missing()
    with progress("comparing", quiet=as_json) as report:
        report.begin(sum(path.stat().st_size for path in new.rglob("*") if path.is_file()))
        made = making.make(making.Order(old=old, new=new, out=out_dir, key=key), report.read)
    if as_json:
        print_json(
            {
                "bundle": str(made.folder),
                "bundle_id": made.manifest.bundle_id,
                "base": made.manifest.base,
                "size": made.size,
                "whole": made.whole,
                "signed": key is not None,
            }
        )
        return
    share = f"{100 * made.size / made.whole:.1f} % of the whole bundle"
    out().print(text(f"{made.folder}: {size_text(made.size)}, {share}", "green"))
    if key is None:
        err().print(text("It is not signed: no host will believe it.", "yellow"))
    else:
        hint(f"on a host that runs {made.manifest.base}: scripts/update.sh")


@app.command("assemble")
def assemble(
    folder: Annotated[Path, typer.Argument(help="The delta bundle.", show_default=False)],
    key: Annotated[str, typer.Argument(help="Which of its images.", show_default=False)],
    carried: Annotated[
        bool, typer.Option("--carried", help="Only the layers that the delta carries: the engine finds the others.")
    ] = False,
) -> None:
    """Put an image of a delta together: `docker save` of the one that runs comes in, an archive to load goes out.

    The scripts of a bundle run it in the image that is there; nothing of it needs a network or a disk.
    """
    from frostbyte.adapters.engine.streams import entries
    from frostbyte.deploy.bundle.assembling import assemble as put_together

    if sys.stdout.isatty() or (sys.stdin.isatty() and not carried):
        raise CommandFailed(
            "pipe_needed",
            "This reads what `docker save` writes, and writes what `docker load` reads.",
            f"docker save IMAGE | frostbyte bundle assemble {folder} {key} | docker load",
        )
    put_together(folder, key, None if carried else entries(sys.stdin.buffer), sys.stdout.buffer)
    sys.stdout.buffer.flush()
