"""A folder in OCI's image layout (image-spec, image-layout.md), as skopeo, buildx and many builders write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from frostbyte.adapters.engine.streams import CHUNK, broke_off
from frostbyte.kernel.errors import NotFound, Unavailable
from frostbyte.kernel.ports.engine import Entry, Stored

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAMES: Final = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
"""Annotations with an image's name, or its tag alone."""
_PACKED: Final = 3
"""About how many bytes come out of one of a packed layer: for an estimate."""
_LARGEST: Final = 4 << 20
"""Bytes of an index, a manifest or a configuration (image-spec recommends this limit to registries)."""
_DEEP: Final = 4
"""Indexes within indexes."""


class OciLayout:
    """The images of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, reference: str, architecture: str) -> Stored | None:
        """See Engine."""
        name, _, pinned = reference.partition("@")
        tag = name.rpartition(":")[2]
        by_tag: list[Stored] = []
        for digest, names in self._manifests(architecture):
            found = self._stored(digest, architecture)
            if found is None:
                continue
            if reference in {found.image_id, digest, *names} or pinned == digest:
                return found
            if not pinned and tag in names:
                by_tag.append(found)
        # Many tools note the tag alone; it names an image where the folder has no second one of it.
        return by_tag[0] if len(by_tag) == 1 else None

    def _stored(self, digest: str, architecture: str) -> Stored | None:
        manifest = self._json(digest)
        image_id = str(manifest["config"]["digest"])
        configuration = self._json(image_id)
        if configuration.get("architecture") != architecture or not configuration.get("rootfs", {}).get("diff_ids"):
            return None
        return Stored(
            reference=digest,
            image_id=image_id,
            digests=(digest,),
            architecture=architecture,
            layers=tuple(configuration["rootfs"]["diff_ids"]),
            sizes=tuple(
                layer["size"] * (_PACKED if str(layer["mediaType"]).endswith(("gzip", "zstd")) else 1)
                for layer in manifest["layers"]
            ),
        )

    @contextmanager
    def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
        """See Engine."""
        manifests = [self._json(image.reference) for image in images]
        blobs = [blob for manifest in manifests for blob in (manifest["config"], *manifest["layers"])]
        yield (self._entry(digest) for digest in dict.fromkeys(str(blob["digest"]) for blob in blobs))

    def resolve(self, reference: str, architecture: str) -> str:
        """See Engine: the folder is its own registry."""
        found = self.find(reference, architecture)
        if found is None:
            raise NotFound(
                "registry_no_image",
                f"The folder has no {reference[:80]} for {architecture}.",
                "Name one that it has, or copy it there.",
            )
        return found.reference

    def pull(self, reference: str, architecture: str) -> None:
        """See Engine: what is there is all there is."""
        self.resolve(reference, architecture)

    def _manifests(self, architecture: str) -> Iterator[tuple[str, set[str]]]:
        """Digests of manifests for an architecture, with the names of each."""
        index = self._read(self._folder / "index.json")
        waiting = [(entry, set[str](), 0) for entry in index.get("manifests", [])]
        while waiting:
            entry, above, deep = waiting.pop(0)
            names = above | {str(value) for key, value in (entry.get("annotations") or {}).items() if key in _NAMES}
            platform = entry.get("platform") or {}
            if platform.get("architecture", architecture) != architecture:
                continue
            digest = str(entry["digest"])
            inside = self._json(digest)
            if "manifests" in inside and deep < _DEEP:
                waiting += [(each, names | {digest}, deep + 1) for each in inside["manifests"]]
            elif "config" in inside:
                yield digest, names

    def _entry(self, digest: str) -> Entry:
        path = self._blob(digest)
        try:
            size = path.stat().st_size
        except OSError:
            raise broke_off() from None
        return Entry(name=digest, size=size, chunks=_chunks(path))

    def _json(self, digest: str) -> dict[str, Any]:
        return self._read(self._blob(digest))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            with path.open("rb") as file:
                read = json.loads(file.read(_LARGEST))
        except (OSError, ValueError):
            read = None
        if not isinstance(read, dict):
            raise Unavailable(
                "engine_unavailable",
                "The folder of images is not in OCI's layout, or not whole.",
                "Name one with oci-layout, index.json and blobs/ in it.",
            )
        return read

    def _blob(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise broke_off()
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")
