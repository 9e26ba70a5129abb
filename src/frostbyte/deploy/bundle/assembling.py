"""Puts an image of a delta bundle together on a host: layers out of the image that runs, the others from the disk.

Everything goes by once and nothing is kept: what the engine saves comes in, what it loads goes out. A layer is taken
for what its digest says it is, never for what it is called. The archive's list of layers is written last, so an engine
that is given the beginning of an archive alone loads nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from frostbyte.deploy.bundle import archive, layout
from frostbyte.deploy.bundle.manifest import Image, decode
from frostbyte.deploy.bundle.packing import GZIP
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.engine import Entry

_GZIP: Final = 31
"""The window's bits with gzip's head, as zlib writes it."""


def assemble(bundle: Path, key: str, saved: Iterable[Entry] | None, out: IO[bytes]) -> None:
    """Write the archive of an image (as `docker load` reads it) to `out`.

    Args:
        bundle: the delta's folder; its sums have been checked.
        key: which image.
        saved: what the engine saves of the image that runs in its place; None for an archive of the layers that the
            delta carries alone, for an engine that finds the others among its own.

    Raises:
        Invalid: `bundle_manifest`, `bundle_image`; `bundle_base`: the image that runs has not the layers that the delta
            is made for.
        Unavailable: as `Engine.entries`.
    """
    manifest = decode(_read(bundle / layout.MANIFEST))
    image = next((image for image in manifest.images if image.key == key), None)
    if image is None or not image.partial:
        raise Invalid("bundle_base", "The bundle has no part of that image.", "Name a delta bundle and an image of it.")
    said = archive.read(bundle / image.file)
    if (said.image_id, said.layers) != (image.image_id, tuple(layer.diff_id for layer in image.layers)):
        raise archive.broken()
    names: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT, bufsize=archive.CHUNK) as target:
        _from_disk(bundle, [one.file for one in manifest.images], image, target, names)
        if saved is None:
            names = {layer: archive.layer_file(layer) for layer in said.layers}
        else:
            _from_engine(saved, image, target, names)
        if not set(said.layers) <= set(names):
            raise Invalid(
                "bundle_base",
                "The image that runs on this host has not the layers that this bundle is to be laid over.",
                "Carry the new bundle whole.",
            )
        config = f"{image.image_id.removeprefix('sha256:')}.json"
        listed = [{"Config": config, "RepoTags": [said.tag], "Layers": [names[layer] for layer in said.layers]}]
        _add(target, config, len(said.configuration), [said.configuration])
        text = json.dumps(listed, separators=(",", ":")).encode()
        _add(target, archive.MANIFEST, len(text), [text])


def _from_disk(bundle: Path, files: list[str], image: Image, target: tarfile.TarFile, names: dict[str, str]) -> None:
    """Layers that the delta carries, in whichever image's file."""
    packed = {layer.diff_id: layer.packed for layer in image.layers}

    def take(diff_id: str, chunks: Iterator[bytes]) -> None:
        if diff_id in packed and diff_id not in names:
            name = archive.layer_file(diff_id)
            if _add(target, name, packed[diff_id], chunks) != diff_id:
                raise archive.broken()
            names[diff_id] = name

    for file in files:
        archive.read(bundle / file, take)


def _from_engine(saved: Iterable[Entry], image: Image, target: tarfile.TarFile, names: dict[str, str]) -> None:
    """Layers that are still missing, by what they hold. Which one it is shows only when it has gone by."""
    sizes = {layer.diff_id: layer.size for layer in image.layers}
    for number, entry in enumerate(saved):
        missing = {size for diff_id, size in sizes.items() if diff_id not in names}
        if not missing or not entry.size:
            continue  # to its end nevertheless: an engine that cannot write says that it failed
        first = next(iter(entry.chunks), b"")
        if first.startswith(GZIP) or entry.size in missing:
            name = f"base/{number}.tar"
            names.setdefault(_add(target, name, entry.size, _after(first, entry.chunks)), name)


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _add(target: tarfile.TarFile, name: str, size: int, chunks: Iterable[bytes]) -> str:
    """Write a file as it comes; `sha256:...` of what is in it, unpacked."""
    about = tarfile.TarInfo(name)
    about.mode, about.size = 0o644, size
    going_by = _GoingBy(chunks)
    try:
        target.addfile(about, io.BufferedReader(going_by, archive.CHUNK))
    except tarfile.ReadError:
        raise archive.broken() from None
    return f"sha256:{going_by.digest()}"


class _GoingBy(io.RawIOBase):
    """Chunks as a file, which hashes what is in them while it is read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = memoryview(b"")
        self._hash = hashlib.sha256()
        self._opener: Any = None
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            chunk = next(self._chunks, b"")
            if not chunk:
                return 0
            self._told(chunk)
            self._held = memoryview(chunk)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _told(self, chunk: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._opener = zlib.decompressobj(_GZIP) if chunk.startswith(GZIP) else None
        if self._opener is None:
            self._hash.update(chunk)
            return
        try:
            while chunk:
                if self._opener.eof:  # another member follows
                    self._opener = zlib.decompressobj(_GZIP)
                self._hash.update(self._opener.decompress(chunk))
                chunk = self._opener.unused_data
        except zlib.error:
            raise archive.broken() from None

    def digest(self) -> str:
        """Hex, of all that was read; '' for one that ends in the middle of what is packed."""
        return self._hash.hexdigest() if self._opener is None or self._opener.eof else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
