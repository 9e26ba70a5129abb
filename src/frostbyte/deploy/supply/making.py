"""Makes a signed set from folders of signatures and packages and from archives of images, on any machine."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.upkeep.supplies import Image, Package, Piece, Supply
from frostbyte.deploy.bundle import models, signing, sums
from frostbyte.deploy.bundle.folder import put, whole
from frostbyte.deploy.bundle.layout import SUMS
from frostbyte.deploy.supply import layout
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.errors import Invalid

_HEAD: Final = 512
"""Bytes of a signature database's head: fields apart by colons (ClamAV, libclamav/cvd.c)."""
_SECONDS: Final = 60
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")
_MANIFEST_BYTES: Final = 1 << 20


def make(
    out: Path,
    created_at: str,
    *,
    signatures: Path | None = None,
    packages: Path | None = None,
    images: Mapping[str, Path] | None = None,
    version: str = "",
    key: Path | None = None,
) -> tuple[Path, Supply]:
    """Write the folder of a set below `out`; where, and what it says of itself.

    Args:
        created_at: ISO 8601 UTC, to the second.
        signatures: a folder of the scanner's databases, all that a scanner is to have.
        packages: a folder of Debian packages, each with all that it needs and hosts have not.
        images: archives of `docker save`, one image each, by the plane's names.
        version: of Frostbyte, that the images are of.
        key: signs it; None leaves it unsigned, and nobody takes it.

    Raises:
        Invalid: `supply_empty`; `supply_package`; `supply_image`; `bundle_model`, `bundle_key`.
        Conflict: `bundle_exists`.
    """
    found: dict[str, Path] = {}
    described = replace(
        _scanned(signatures, found) if signatures is not None else Supply(supply_id="x", created_at=created_at),
        created_at=created_at,
        packages=tuple(_packages(packages, found)) if packages is not None else (),
        images=tuple(_image(name, path, found) for name, path in sorted((images or {}).items())),
        version=version if images else "",
    )
    if not described.parts:
        raise Invalid("supply_empty", "The set would hold nothing.", "Name signatures, packages or images.")
    supply = _checked(replace(described, supply_id=_named(described)))
    folder = out / f"frostbyte-supply-{supply.supply_id}"
    with whole(folder, created_at) as part:
        put(part / layout.SUPPLY, msgspec.json.format(msgspec.json.encode(supply), indent=2) + b"\n")
        for place, path in found.items():
            (part / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, part / place)
        listed = {name: sums.of_file(path) for name, path in sums.files(part)}
        put(part / SUMS, sums.text(listed))
        if key is not None:
            signing.sign(part, key)
    return folder, supply


def _named(supply: Supply) -> str:
    """The day, and a digest of all that is in it."""
    held = msgspec.to_builtins(replace(supply, supply_id="x"))
    return f"{supply.created_at[:10]}-{hashlib.sha256(canonical(held)).hexdigest()[:12]}"


def _checked(supply: Supply) -> Supply:
    try:
        return msgspec.json.decode(msgspec.json.encode(supply), type=Supply)
    except msgspec.ValidationError as error:
        raise Invalid(
            "supply_format", f"A set cannot say this of itself: {error}.", "Correct the name, version or moment."
        ) from None


def described(files: Iterable[tuple[str, Path]]) -> dict[str, Any]:
    """What a scanner's databases say of themselves: `signatures_made_at` and `signatures_version`, of the daily one
    where there is one, else of the newest."""
    told = dict(files)
    daily = [path for name, path in told.items() if name.partition(".")[0] == "daily"]
    heads = [head for path in (daily or told.values()) if (head := _head(path))]
    version = heads[0][2].strip() if daily and heads else ""
    made = max((models.made_at(path) for path in (daily or told.values())), default="")
    return {"signatures_made_at": made if heads else "", "signatures_version": version if version.isdigit() else ""}


def _scanned(folder: Path, found: dict[str, Path]) -> Supply:
    pieces = []
    for model in models.describe(models.CLAMAV, folder):
        name = Path(model.path).name
        found[f"{layout.SIGNATURES}/{name}"] = folder / name
        pieces.append(Piece(name=name, sha256=model.sha256, size=model.size))
    told = described((piece.name, folder / piece.name) for piece in pieces)
    return Supply(supply_id="x", created_at="", signatures=tuple(pieces), **told)


def _head(path: Path) -> list[str]:
    """The fields of a database's head; [] of a file without one."""
    with path.open("rb") as file:
        fields = file.read(_HEAD).decode("ascii", "replace").split(":")
    return fields if fields[0] == "ClamAV-VDB" and len(fields) > 8 else []


def _packages(folder: Path, found: dict[str, Path]) -> list[Package]:
    made = []
    for path in sorted(folder.glob("*.deb")):
        package, version, architecture = _control(path)
        name = _PLAIN.sub("-", f"{package}_{version}_{architecture}") + ".deb"
        if f"{layout.PACKAGES}/{name}" in found:
            raise Invalid("supply_package", "A package is there twice.", "Leave one of each in the folder.")
        found[f"{layout.PACKAGES}/{name}"] = path
        made.append(
            Package(
                name=name,
                sha256=sums.of_file(path),
                size=path.stat().st_size,
                package=package,
                version=version,
                architecture=architecture,
            )
        )
    if len({one.architecture for one in made} - {"all"}) > 1:
        raise Invalid("supply_package", "The packages are of several architectures.", "Make a set of each.")
    if not made:
        raise Invalid("supply_package", "The folder holds no package.", "Name a folder with files called *.deb.")
    return made


def _control(path: Path) -> tuple[str, str, str]:
    """Package, version and architecture, as dpkg reads them."""
    words = ["dpkg-deb", "--showformat", "${Package}\n${Version}\n${Architecture}\n", "--show", str(path.absolute())]
    try:
        done = subprocess.run(  # noqa: S603 - a program of the host, words of ours
            words, capture_output=True, text=True, check=True, timeout=_SECONDS
        )
        package, version, architecture = done.stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        raise Invalid(
            "supply_package",
            "A package cannot be read, or dpkg-deb is missing.",
            "Make the set on Debian or Ubuntu, from whole packages.",
        ) from None
    return package, version, architecture


def _image(key: str, path: Path, found: dict[str, Path]) -> Image:
    name = f"{key}.tar"
    found[f"{layout.IMAGES}/{name}"] = path
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile("manifest.json")
            held = json.loads(member.read(_MANIFEST_BYTES)) if member is not None else []
        (one,) = held
        image_id = "sha256:" + Path(one["Config"]).name.removesuffix(".json")
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError):
        raise Invalid(
            "supply_image", "An archive holds no image, or several.", "Save each with `docker save`, by itself."
        ) from None
    return Image(name=name, sha256=sums.of_file(path), size=path.stat().st_size, key=key, image_id=image_id)
