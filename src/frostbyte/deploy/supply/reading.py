"""Reads a set: believed only by a signature of somebody who is trusted, and only when every file is what was signed.

A bundle of a whole plane is a set too: of its images and its scanner's signatures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from frostbyte.control_plane.upkeep.supplies import FORMAT, Image, Piece, Supply
from frostbyte.deploy.bundle import checking, signing, sums
from frostbyte.deploy.bundle.layout import MANIFEST, SIGNATURE, SUMS
from frostbyte.deploy.bundle.layout import SIGNATURES as BUNDLED
from frostbyte.deploy.bundle.manifest import Manifest
from frostbyte.deploy.bundle.models import CLAMAV
from frostbyte.deploy.supply import layout
from frostbyte.deploy.supply.making import described
from frostbyte.kernel.errors import Invalid

_LARGEST: Final = 16 << 20
"""Bytes of a set's description and of its sums at most."""
Files = dict[str, Path]
"""By the sha256 of what is in it."""


def read(folder: Path, signers: Path, seen: Callable[[int], None] = lambda _: None) -> tuple[Supply, Files]:
    """What the folder holds, and where each file lies.

    Args:
        signers: ssh-keygen's list of allowed signers, from elsewhere than the set.
        seen: is told how many more bytes were read.

    Raises:
        Invalid: `bundle_signers`; `supply_unsigned`: nobody who is trusted signed it; `bundle_sums`; `supply_damaged`;
            `supply_format`; `supply_partial`.
    """
    if not signing.verify(folder, signers):
        raise Invalid(
            "supply_unsigned",
            "The set was not signed by a key that this control plane believes, or its list was changed since.",
            "Take nothing of it. Ask whoever made it; `frostbyte deliver trust` says whose signature is believed.",
        )
    if (folder / MANIFEST).is_file():
        checked = checking.check(folder, signers, seen=seen)
        if not checked.good or checked.manifest is None:
            raise _damaged(checked.findings[0].path if checked.findings else MANIFEST)
        return _of_bundle(folder, checked.manifest)
    listed = sums.parse(_small(folder / SUMS))
    wrong = sums.compare(folder, listed, seen)
    if wrong:
        raise _damaged(next(iter(wrong)))
    return _of_set(folder, listed)


def _of_set(folder: Path, listed: dict[str, str]) -> tuple[Supply, Files]:
    try:
        supply = msgspec.json.decode(_small(folder / layout.SUPPLY), type=Supply)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise _format() from None
    if supply.format != FORMAT:
        raise _format()
    pieces = {
        **{f"{layout.SIGNATURES}/{piece.name}": piece for piece in supply.signatures},
        **{f"{layout.PACKAGES}/{piece.name}": piece for piece in supply.packages},
        **{f"{layout.IMAGES}/{piece.name}": piece for piece in supply.images},
    }
    named = {path: piece.sha256 for path, piece in pieces.items()}
    if named | {layout.SUPPLY: listed.get(layout.SUPPLY, "")} != listed or not supply.parts:
        raise _format()
    return supply, {piece.sha256: folder / path for path, piece in pieces.items()}


def _of_bundle(folder: Path, manifest: Manifest) -> tuple[Supply, Files]:
    if manifest.base or any(image.partial for image in manifest.images):
        raise Invalid(
            "supply_partial",
            "This bundle holds only what differs from another one.",
            "Put both together first (`frostbyte bundle assemble`), or take the whole one.",
        )
    files: Files = {}
    images, pieces = [], []
    for image in manifest.images:
        files[image.sha256] = folder / image.file
        images.append(
            Image(
                name=f"{image.key}.tar",
                sha256=image.sha256,
                size=image.size,
                key=image.key,
                image_id=image.image_id,
            )
        )
    for model in manifest.models:
        if model.name == CLAMAV:
            files[model.sha256] = folder / model.path
            name = model.path.removeprefix(f"{BUNDLED}/")
            pieces.append(Piece(name=name, sha256=model.sha256, size=model.size))
    told = described((piece.name, files[piece.sha256]) for piece in pieces)
    supply = checked_supply(
        supply_id=manifest.bundle_id,
        created_at=manifest.created_at,
        signatures=tuple(pieces),
        images=tuple(images),
        version=manifest.version,
        **told,
    )
    return supply, files


def checked_supply(**told: Any) -> Supply:
    """A set of these values. Raises Invalid: `supply_format`."""
    try:
        return msgspec.convert(msgspec.to_builtins(Supply(**told)), Supply)
    except msgspec.ValidationError:
        raise _format() from None


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return b""


def _damaged(path: str) -> Invalid:
    return Invalid(
        "supply_damaged",
        f"The set is not as it was signed: {path}.",
        "Take it anew from where it came; nothing of it was kept.",
    )


def _format() -> Invalid:
    return Invalid(
        "supply_format",
        "The set does not say what it holds, or says something else than it holds.",
        f"Make it anew with this version's `frostbyte deliver make`; its signature lies in {SIGNATURE}.",
    )
