"""`frostbyte plane containers`, `digests` and `logs`: what verify.sh and support.sh cannot judge with bash alone."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.findings import Level, finding_lines, print_findings
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import print_json

_BLOCK: Final = 1 << 20


def containers(
    project: Annotated[str, typer.Option("--project", help="The compose project.", show_default=False)],
    service: Annotated[list[str], typer.Option("--service", help="One that has to be there.", show_default=False)],
    image: Annotated[list[str], typer.Option("--image", help="Id of an image that may run.", show_default=False)],
    port: Annotated[int, typer.Option("--port", help="That the door publishes.")] = 8080,
    folder: Annotated[
        list[str] | None, typer.Option("--folder", help="Of the host, that containers may read, as often as needed.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Print fields apart by tabs, for scripts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge what `docker inspect` and `docker network inspect` print, from standard input. Ends with 3 if it must."""
    from frostbyte.cli.containers import Expected, judge, read
    from frostbyte.deploy.compose.options import DOOR, EDGE, INTERNAL

    expected = Expected(
        project=project,
        services=tuple(service),
        images=frozenset(image),
        port=port,
        internal=INTERNAL,
        edge=EDGE,
        door=DOOR,
        folders=tuple(folder or ()),
    )
    findings = list(judge(read(sys.stdin.read()), expected))
    if lines:
        sys.stdout.write("".join(f"{line}\n" for line in finding_lines(findings)))
    elif as_json:
        print_json([asdict(one) for one in findings])
    else:
        print_findings(findings)
    if any(one.level is Level.FAIL for one in findings):
        raise typer.Exit(Exit.PROBLEMS)


def logs() -> None:
    """Print what of a service's log, read from standard input, holds no content: for support.sh."""
    from frostbyte.kernel.told_log import told

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    for line in told(sys.stdin):
        sys.stdout.write(f"{line}\n")


def digests(
    folders: Annotated[list[Path], typer.Argument(help="Folders.", show_default=False)], as_json: AsJson = False
) -> None:
    """Print the sha256 of every file below folders, as sha256sum does; where there is no shell to run that."""
    found = {str(path): _digest(path) for folder in folders for path in _files(folder)}
    if as_json:
        print_json(found)
    else:
        sys.stdout.write("".join(f"{digest}  {path}\n" for path, digest in found.items()))


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise CommandFailed("folder_missing", f"{folder} is no folder.", "Check the path.", exit_code=Exit.NOT_FOUND)
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest()
