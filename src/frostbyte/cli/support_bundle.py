"""`frostbyte support-bundle`: one file of text that helps to find out why something is not well, and holds no content.

What is in it comes from the control plane, section by section; where that does not answer, the file says so and holds
what is known here. It is the online half of what a bundle's support.sh does on a host without a network.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte import __version__
from frostbyte.cli.client import CONTROL, Client
from frostbyte.cli.control import complete_tenant, control_client, named
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, ControlToken
from frostbyte.cli.output import err, hint, out, print_json, safe, text
from frostbyte.kernel.errors import FrostbyteError

SECONDS: Final = 600.0
"""A tenant's hosts are asked one log after the other, and one that hangs has its bounds."""
_METRIC: Final = re.compile(
    r'frostbyte_[a-z0-9_]{1,80}(?:\{(?:[a-z_]{1,32}="[A-Za-z0-9_./:{}+-]{0,100}",?){0,6}\})? -?[0-9][0-9.e+-]{0,24}',
    re.ASCII,
)
_NOT_TOLD: Final = re.compile(r"frostbyte_\w+_(?:bucket|created)\b")
"""Parts of metrics that nobody reads one by one."""
_WORD: Final = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)


def support_bundle(
    tenants: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tenants whose hosts are asked too.",
            show_default=False,
            metavar="[TENANT]...",
            autocompletion=complete_tenant,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="What is written; else frostbyte-support-TIME.txt here.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    token: ControlToken = None,
) -> None:
    """Collect versions, states, sizes, counts and what logs may tell, of the control plane and of tenants' hosts."""
    names = [named(each) for each in tenants or []]
    now = datetime.now(UTC)
    path = file or Path(f"frostbyte-support-{now:%Y%m%dT%H%M%SZ}.txt")
    sink = _opened(path)
    parts, missing = [_here(now)], list[str]()
    with os.fdopen(sink, "w", encoding="utf-8") as written:
        for part, code in _parts(names, token, quiet=as_json):
            parts += part
            missing += [code] if code else []
        written.write(_text(parts, now))
    if as_json:
        print_json({"file": str(path), "sections": [title for title, _ in parts], "missing": missing})
    else:
        out().print(text("Collected in ", "green") + text(path, "bold"), soft_wrap=True)
        hint("It is text: read it before you hand it on.")
        for code in missing:
            err().print(text(f"Not all of it could be collected: {code}", "yellow"))
        if missing:
            hint("docs/runbooks/README.md says how to collect on a host itself.")
    if missing:
        raise typer.Exit(Exit.PROBLEMS)


Part = list[tuple[str, list[str]]]
"""Sections: a title and its lines."""


def _parts(names: list[str], token: str | None, *, quiet: bool) -> Iterator[tuple[Part, str]]:
    """What can be had, each with the code of what kept the rest away."""
    try:
        client = control_client(token)
    except FrostbyteError as error:
        yield [("Control plane", [f"not asked: {error.code}"])], error.code
        return
    with client:
        part, code = _unguarded(client)
        yield part, code
        if code == CONTROL.absent:
            return
        client.limit(SECONDS)
        for name in (None, *names):
            if not quiet:
                err().print(text(f"Asking {name or 'the control plane'} ...", "dim"))
            try:
                found = client.json("GET", f"/support/{name}" if name else "/support")
                yield [(one["title"], one["lines"]) for one in found["sections"]], ""
            except FrostbyteError as error:
                yield [(name or "Control plane", [f"not collected: {error.code}"])], error.code


def _unguarded(client: Client) -> tuple[Part, str]:
    """What is answered without a token: whether it is ready, and its numbers."""
    lines, code = list[str](), ""
    try:
        answer = client.answer("GET", "/ready").json()
        lines += [f"/ready {key} {value}" for key, value in _flat(answer)]
        metrics = [line for line in client.answer("GET", "/metrics").text.splitlines() if _METRIC.fullmatch(line)]
    except FrostbyteError as error:
        metrics, code = [], error.code
        lines.append(f"not asked: {error.code}")
    told = [line for line in metrics if not _NOT_TOLD.match(line)]
    return [("What it says without being asked who", lines), ("Metrics", told)], code


def _flat(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in answer.items():
        words = [str(one) for one in (value if isinstance(value, list) else [value])]
        if _WORD.fullmatch(key) and all(re.fullmatch(r"[A-Za-z0-9_.+-]{1,64}", word, re.ASCII) for word in words):
            yield key, " ".join(words)


def _here(now: datetime) -> tuple[str, list[str]]:
    return "Where this was typed", [
        f"frostbyte {__version__}",
        f"python {platform.python_version()}",
        f"system {platform.system()} {platform.machine()}",
        f"clock {now:%Y-%m-%dT%H:%M:%SZ}",
    ]


def _text(parts: Part, now: datetime) -> str:
    head = f"Frostbyte support, {now:%Y-%m-%dT%H:%M:%SZ}. It holds versions, states, sizes and counts;"
    lines = [f"{head} no content, no names of documents, no secrets."]
    for title, each in parts:
        lines += ["", title, *(f"  {safe(line)}" for line in each or ["none"])]
    return "\n".join(lines) + "\n"


def _opened(path: Path) -> int:
    """A new file that nobody else may read. Raises CommandFailed("file_exists"), CommandFailed("file_unwritable")."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandFailed("file_exists", f"{path} is there already.", "Name another file: --out FILE.") from None
    except OSError as error:
        raise CommandFailed(
            "file_unwritable", f"{path} cannot be written ({error.strerror}).", "Name another file: --out FILE."
        ) from None
