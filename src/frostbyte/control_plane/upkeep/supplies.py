"""What is delivered to tenants' hosts: signed sets of signatures, packages and images, as the control plane keeps them.

A set was checked when it was taken; from then on its files are known by their sha256 alone, and hosts check them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

FORMAT: Final = "frostbyte-supply/1"


class Part(StrEnum):
    """What a set may hold."""

    SIGNATURES = "signatures"
    """Of the malware scanner."""
    PACKAGES = "packages"
    """Of the system that hosts run: Debian packages."""
    IMAGES = "images"
    """Of a version of Frostbyte. They are brought to hosts; `tenant update` switches to them."""


# What stands in a set gets into scripts on hosts: it is plain, whoever signed it.
Plain = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
PackageName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,99}$")]
PackageVersion = Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.+~:-]{0,199}$")]
Moment = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$")]


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A file.

    Attributes:
        name: without a folder.
        sha256: hex.
        size: bytes.
    """

    name: Plain
    sha256: Sha256
    size: int


class Package(Piece, frozen=True, kw_only=True):
    """A Debian package.

    Attributes:
        package, version, architecture: as its control file says them.
    """

    package: PackageName
    version: PackageVersion
    architecture: Plain


class Image(Piece, frozen=True, kw_only=True):
    """An archive of `docker save`.

    Attributes:
        key: which of the plane's images it is, as `Renderer.images` names them.
        image_id: `sha256:...` of its configuration.
    """

    key: Plain
    image_id: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """A set.

    Attributes:
        supply_id: names it and no other: its day and the start of a digest of what is in it.
        created_at: ISO 8601 UTC.
        signatures: files of the scanner's database: all that it is to have.
        signatures_made_at: when they were made, ISO 8601 UTC; '' without signatures.
        signatures_version: number of the daily database, which a scanner tells; '' where there is none.
        packages: sorted by name.
        images: of the version, sorted by key.
        version: of Frostbyte, that the images are of; '' without images.
        format: FORMAT.
    """

    supply_id: Plain
    created_at: Moment
    signatures: tuple[Piece, ...] = ()
    signatures_made_at: Moment = ""
    signatures_version: Annotated[str, Meta(pattern=r"^[0-9]{0,9}$")] = ""
    packages: tuple[Package, ...] = ()
    images: tuple[Image, ...] = ()
    version: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.+_-]{0,60}$")] = ""
    format: str = FORMAT

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it holds."""
        held = {Part.SIGNATURES: self.signatures, Part.PACKAGES: self.packages, Part.IMAGES: self.images}
        return tuple(part for part, pieces in held.items() if pieces)


class Shelf(Protocol):
    """The sets that were taken."""

    def supplies(self) -> Sequence[Supply]:
        """Newest first, by when they were made."""
        ...

    def supply(self, supply_id: str) -> Supply:
        """One of them. Raises NotFound("supply_unknown")."""
        ...

    def file(self, sha256: str) -> Path:
        """A file of a set. Raises NotFound("supply_file_missing")."""
        ...

    def package(self, package: str, version: str, architecture: str) -> Package | None:
        """A package of any of the sets: what to go back to."""
        ...
