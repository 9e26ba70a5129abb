"""Taking a signed set into a control plane's data folder, beside the control plane that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.adapters.shelf import FolderShelf
from frostbyte.bootstrap.building import keep_release
from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
from frostbyte.control_plane.upkeep.supplies import Supply
from frostbyte.deploy.supply.reading import read
from frostbyte.kernel.errors import Conflict, Invalid

SIGNERS: Final = "signers"
"""The file of allowed signers, in the folder of sets: whose signature is believed from now on."""
_LARGEST: Final = 1 << 20


def trust(told: ProvisioningSettings, signers: Path) -> str:
    """Believe these signers from now on, and nobody else; what stands in their list.

    Raises:
        Invalid: `bundle_signers`: the list cannot be read, or names nobody.
    """
    try:
        text = signers.read_text(encoding="ascii") if signers.stat().st_size < _LARGEST else ""
    except (OSError, ValueError):
        text = ""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or any("ssh-" not in line for line in lines):
        raise Invalid(
            "bundle_signers",
            "The list of signers cannot be read, or names no key of OpenSSH.",
            "Name the file that you were given by another way than the set.",
        )
    told.supplies.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = told.supplies / f".{uuid4().hex}"
    part.write_text(text, encoding="ascii")
    part.replace(told.supplies / SIGNERS)
    return text


def take(
    told: ProvisioningSettings,
    folder: Path,
    *,
    older: bool = False,
    seen: Callable[[int], None] = lambda _: None,
) -> Supply:
    """Check a set and keep it. Killed at any moment, it is done again; what is whole is not copied twice.

    Args:
        older: whether it may have been made before one that was taken already.

    Raises:
        Conflict: `signers_missing`; `supply_older`.
        Invalid: as `deploy.supply.reading.read`.
    """
    signers = told.supplies / SIGNERS
    if not signers.is_file():
        raise Conflict(
            "signers_missing",
            "This control plane believes nobody's signature yet.",
            "Name the list of signers that you were given by another way: frostbyte deliver trust FILE.",
        )
    supply, files = read(folder, signers, seen)
    shelf = FolderShelf(told.supplies)
    newest = next(iter(shelf.supplies()), None)
    if newest is not None and newest.created_at > supply.created_at and not older:
        raise Conflict(
            "supply_older",
            f"{supply.supply_id} was made before {newest.supply_id}, which was taken already.",
            "Take a newer set; to have this one all the same, say so: --older.",
        )
    shelf.take(supply, files)
    if supply.images:
        images = {image.key: image.image_id for image in supply.images}
        archives = {
            image.key: {"path": str(shelf.file(image.sha256)), "sha256": image.sha256} for image in supply.images
        }
        keep_release(told, supply.version, images, archives)  # type: ignore[arg-type]  # as ArchiveSpec has it
    return supply
