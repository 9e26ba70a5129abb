"""Whether a bundle is whole, and from whom it claims to be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from frostbyte.deploy.bundle import archive, layout, signing, sums
from frostbyte.deploy.bundle.manifest import Image, Manifest, decode, encode, table
from frostbyte.deploy.bundle.packing import unpacked
from frostbyte.kernel.errors import Invalid

_LARGEST: Final = 16 << 20
"""Bytes of a manifest or of sums at most."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not right: a path in the bundle and what about it (docs/offline.md has the words)."""

    path: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What came of a check.

    Attributes:
        manifest: None where it cannot be read.
        signed: whether one of the allowed signers signed it; None where nobody asked.
        files, size: how many were compared, and their bytes.
    """

    manifest: Manifest | None
    signed: bool | None
    files: int
    size: int
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def check(
    folder: Path,
    signers: Path | None = None,
    *,
    layers: bool = False,
    seen: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Check a bundle. All that is wrong is found, not only the first; but nothing is compared with sums that a wanted
    signature does not vouch for.

    Args:
        signers: allowed signers, from elsewhere than the bundle; None to leave the signature out.
        layers: unpack every layer and compare it with what its image's configuration names.
        seen: is told how many more bytes were read.

    Raises:
        Invalid: `bundle_signers`; `bundle_sums`: there is no list of sums to compare with.
    """
    signed = signing.verify(folder, signers) if signers is not None else None
    if signed is False:
        findings = (Finding(path=layout.SIGNATURE, what="signature"),)
        return Checked(manifest=None, signed=False, files=0, size=0, findings=findings)
    listed = sums.parse(_small(folder / layout.SUMS))
    wrong = sums.compare(folder, listed, seen)
    found = [Finding(path=path, what=what) for path, what in wrong.items()]
    manifest = None
    if layout.MANIFEST not in wrong and layout.MANIFEST in listed:
        try:
            manifest = decode(_small(folder / layout.MANIFEST))
        except Invalid:
            found.append(Finding(path=layout.MANIFEST, what="format"))
    else:
        found += [] if layout.MANIFEST in wrong else [Finding(path=layout.MANIFEST, what="missing")]
    if manifest is not None:
        found += _agrees(folder, manifest, listed)
    if manifest is not None and not found:
        found += _images(folder, manifest, layers=layers)
    size = sum((folder / path).stat().st_size for path in listed if (folder / path).is_file())
    return Checked(manifest=manifest, signed=signed, files=len(listed), size=size, findings=tuple(found))


def _agrees(folder: Path, manifest: Manifest, listed: dict[str, str]) -> Iterator[Finding]:
    """Whether manifest, its table and the sums say the same."""
    if encode(manifest) != _small(folder / layout.MANIFEST):
        yield Finding(path=layout.MANIFEST, what="format")
    if not (folder / layout.TABLE).is_file() or table(manifest).encode() != _small(folder / layout.TABLE):
        yield Finding(path=layout.TABLE, what="disagrees")
    named = {image.file: image.sha256 for image in manifest.images}
    named |= {model.path: model.sha256 for model in manifest.models}
    for path, digest in named.items():
        # What a delta need not carry, as its base has it.
        left_out = manifest.base and path not in listed and not path.startswith(f"{layout.IMAGES}/")
        if listed.get(path) != digest and not left_out:
            yield Finding(path=path, what="disagrees")
    here = (layout.IMAGES + "/", layout.MODELS + "/", layout.SCRIPTS + "/")
    expected = {*(path for path in named if path in listed), *(f"{layout.SCRIPTS}/{name}" for name in manifest.scripts)}
    for path in sorted({path for path in listed if path.startswith(here)} ^ expected):
        if path not in named:
            yield Finding(path=path, what="disagrees")


def _images(folder: Path, manifest: Manifest, *, layers: bool) -> list[Finding]:
    """Whether each archive holds the image that the manifest names, to the layer if that was asked for."""
    with ThreadPoolExecutor(max(1, len(manifest.images)), thread_name_prefix="image") as pool:
        good = pool.map(lambda image: _image(folder / image.file, image, layers=layers), manifest.images)
        return [
            Finding(path=image.file, what="image")
            for image, is_good in zip(manifest.images, good, strict=True)
            if not is_good
        ]


def _image(path: Path, image: Image, *, layers: bool) -> bool:
    def layer(diff_id: str, chunks: Iterator[bytes]) -> None:
        if not layers:
            return
        digest = hashlib.sha256()
        for chunk in unpacked(chunks):
            digest.update(chunk)
        if f"sha256:{digest.hexdigest()}" != diff_id:
            raise archive.broken()

    try:
        inside = archive.read(path, layer)
    except Invalid:
        return False
    named = tuple(one.diff_id for one in image.layers)
    whole = image.partial or inside.held == frozenset(named)
    return (inside.image_id, inside.tag, inside.layers) == (image.image_id, image.tag, named) and whole


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return b""
