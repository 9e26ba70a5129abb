"""Model files and a scanner's signatures: what they are, said once when they are pinned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from frostbyte.deploy.bundle import layout, sums
from frostbyte.deploy.bundle.manifest import Model
from frostbyte.kernel.errors import Invalid

EMBEDDER: Final = "nomic-embed-text-v1.5"
CLAMAV: Final = "clamav"
LICENCES: Final = {EMBEDDER: "Apache-2.0", CLAMAV: "GPL-2.0-only"}
"""Of nomic's weights, as their card says; of ClamAV's signatures, as their COPYING says."""
_CVD_HEAD: Final = 512
"""Bytes of a signature database's head: fields apart by colons (ClamAV, libclamav/cvd.c)."""
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def describe(name: str, path: Path, licence: str = "") -> list[Model]:
    """The model of a file, or all of a folder of signatures, as the manifest will name them.

    Args:
        name: EMBEDDER or CLAMAV.

    Raises:
        Invalid: `bundle_model`: there is no model of this name, or nothing at this path.
    """
    if name not in LICENCES:
        raise _wrong(f"There is no model {name[:40]}.", f"Name one of {', '.join(LICENCES)}.")
    files = sorted(item for item in path.iterdir() if _signatures(item)) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files) or (name == EMBEDDER and path.is_dir()):
        raise _wrong(
            f"There is no file for {name}.", "Name a GGUF file, or a folder with main.cvd, daily.cvd and so on."
        )
    if any(not _FILE.fullmatch(file.name) for file in files):
        raise _wrong("A file has a name that a bundle cannot hold.", "Use plain letters, digits, dots and dashes.")
    return [
        Model(
            name=name,
            path=layout.EMBEDDER_MODEL if name == EMBEDDER else f"{layout.SIGNATURES}/{file.name}",
            sha256=sums.of_file(file),
            size=file.stat().st_size,
            date=made_at(file) if name == CLAMAV else "",
            licence=licence or LICENCES[name],
        )
        for file in files
    ]


def with_sources(models: Sequence[Model], sources: Mapping[str, str]) -> list[Model]:
    """The same models, each with the address that its file may be fetched from, by the file's path or its last part.

    Raises:
        Invalid: `bundle_model`: a source for a file that none of them is.
    """
    found = [
        msgspec.structs.replace(
            model, source=sources.get(model.path) or sources.get(model.path.rpartition("/")[2]) or model.source
        )
        for model in models
    ]
    if set(sources) - {name for model in models for name in (model.path, model.path.rpartition("/")[2])}:
        raise _wrong("A source is for a file that the lock does not have.", "Name the file with --model as well.")
    return found


def made_at(file: Path) -> str:
    """When signatures were made, ISO 8601 UTC: a database's head says it; of others it is the file's time."""
    with file.open("rb") as opened:
        fields = opened.read(_CVD_HEAD).split(b":")
    if fields[0] == b"ClamAV-VDB" and len(fields) > 8 and fields[8].strip().isdigit():
        return datetime.fromtimestamp(int(fields[8]), UTC).strftime(_MOMENT)
    return datetime.fromtimestamp(int(file.stat().st_mtime), UTC).strftime(_MOMENT)


def _signatures(path: Path) -> bool:
    """Not what freshclam notes for itself."""
    return path.is_file() and path.suffix not in (".dat", ".txt", ".md") and not path.name.startswith(".")


def _wrong(what: str, remedy: str) -> Invalid:
    return Invalid("bundle_model", what, remedy)
