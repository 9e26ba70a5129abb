"""`frostbyte plane models keep|restore|drop`: the way back for models and signatures, in a container of update.sh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import out, print_json, text

app = group("Models and signatures as they were before an update.")
Folders = Annotated[list[Path], typer.Argument(help="Folders with models or signatures.", show_default=False)]
Mark = Annotated[str, typer.Option("--mark", help="Of this update, 1 to 16 of a-z and 0-9.", show_default=False)]


@app.command("keep")
def keep(folders: Folders, mark: Mark, as_json: AsJson = False) -> None:
    """Keep what lies there, without a copy, until it is restored or dropped."""
    _do("keep", folders, mark, as_json)


@app.command("restore")
def restore(folders: Folders, mark: Mark, as_json: AsJson = False) -> None:
    """Have the folders hold what they held. Where nothing was kept they stay as they are."""
    _do("restore", folders, mark, as_json)


@app.command("drop")
def drop(folders: Folders, mark: Mark, as_json: AsJson = False) -> None:
    """Give up what was kept: the only way is forward then."""
    _do("drop", folders, mark, as_json)


def _do(verb: str, folders: list[Path], mark: str, as_json: bool) -> None:
    from frostbyte.deploy.bundle.keeping import Kept

    done = {str(folder): getattr(Kept(folder, mark), verb)() for folder in folders}
    if as_json:
        print_json({"done": done})
    else:
        for name, was in done.items():
            out().print(text(f"{name}: {'done' if was else 'nothing to do'}"))
