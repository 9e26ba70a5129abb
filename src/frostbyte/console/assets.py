"""Styles, scripts and pictures of the console, out of the package and from nowhere else.

All of them share one version, the hash of everything: so modules find each other beside themselves, browsers keep what
they have for good, and a page of another version never mixes with this one's.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

PREFIX: Final = "/console/assets/"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """A file that pages load."""

    content: bytes
    media_type: str


def _read(folder: Traversable, path: str = "") -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for entry in folder.iterdir():
        name = f"{path}{entry.name}"
        if entry.is_dir():
            found |= _read(entry, f"{name}/")
        elif (media_type := _TYPES.get(name[name.rfind(".") :])) is not None:
            found[name] = Asset(entry.read_bytes(), media_type)
    return found


def _version(assets: dict[str, Asset]) -> str:
    digest = hashlib.sha256()
    for name in sorted(assets):
        digest.update(f"{name}\0{len(assets[name].content)}\0".encode() + assets[name].content)
    return digest.hexdigest()[:16]


ASSETS: Final = _read(files("frostbyte.console").joinpath("static"))
VERSION: Final = _version(ASSETS)


def asset_url(name: str) -> str:
    """Where a page finds a file.

    Args:
        name: path below `static/`.

    Raises:
        KeyError: there is no such file; a mistake in a template.
    """
    if name not in ASSETS:
        raise KeyError(name)
    return f"{PREFIX}{VERSION}/{name}"
