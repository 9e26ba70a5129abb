"""What a bundle says of itself: MANIFEST.json, and the same as a table of words for scripts. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from frostbyte.kernel.errors import Invalid

FORMAT: Final = "frostbyte-bundle/1"
ARCHITECTURES: Final = ("amd64", "arm64")


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image.

    Attributes:
        diff_id: `sha256:` and the digest of the uncompressed layer: the same on every engine.
        size: bytes, uncompressed.
        packed: bytes as it lies in the image's file.
    """

    diff_id: str
    size: int
    packed: int


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image and its file.

    Attributes:
        key: which of the plane's images it is, as `deploy.compose.IMAGES` names them.
        name: repository and tag, as the lock names it.
        file: path in the bundle; a docker archive whose layers are packed with gzip.
        sha256: hex, of the file.
        size: bytes of the file.
        digest: `sha256:...` of the manifest in its registry; '' for one that was built here and never pushed.
        image_id: `sha256:...` of its configuration. Engines with containerd's store show another.
        tag: what the archive calls it, so that an engine can find it after loading. It names the image's id.
        architecture: as Docker says it, `amd64` or `arm64`.
        layers: in order, lowest first.
        partial: whether layers that a base bundle has are missing in the file (see Manifest.base).
    """

    key: str
    name: str
    file: str
    sha256: str
    size: int
    digest: str
    image_id: str
    tag: str
    architecture: str
    layers: tuple[Layer, ...]
    partial: bool = False

    @property
    def unpacked(self) -> int:
        """Bytes of all its layers."""
        return sum(layer.size for layer in self.layers)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A file of weights, or of a scanner's signatures.

    Attributes:
        name: `nomic-embed-text-v1.5`, or `clamav` for each of its files.
        path: in the bundle.
        sha256: hex.
        size: bytes.
        date: ISO 8601 UTC: when signatures were made; of weights, when they were fetched. '' where nobody knows.
        licence: SPDX, or a name.
        source: where it came from, in words.
    """

    name: str
    path: str
    sha256: str
    size: int
    date: str = ""
    licence: str = ""
    source: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle.

    Attributes:
        version: of Frostbyte, as the images carry it.
        bundle_id: names this bundle and no other: version, architecture and the start of a digest of what is in it.
        created_at: ISO 8601 UTC, from the lock: equal inputs make equal bytes.
        architecture: of all images.
        tenant: whose plane it installs.
        schema: number of the newest migration.
        images: sorted by key.
        models: sorted by path.
        scripts: names in scripts/, sorted.
        base: bundle_id of the bundle that this one is laid over; '' for one that stands alone.
        stand_ins: services that a stand-in takes the place of; () for production.
        memory_mb, disk_mb: what a host must have free: for running, and for loading and running.
        format: FORMAT.
    """

    version: str
    bundle_id: str
    created_at: str
    architecture: str
    tenant: str
    schema: int
    images: tuple[Image, ...]
    models: tuple[Model, ...]
    scripts: tuple[str, ...]
    memory_mb: int
    disk_mb: int
    base: str = ""
    stand_ins: tuple[str, ...] = ()
    format: str = FORMAT


def encode(manifest: Manifest) -> bytes:
    """MANIFEST.json: indented, keys in the order above, one newline at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Read MANIFEST.json.

    Raises:
        Invalid: `bundle_manifest`: it is none, or of a format that this version does not know.
    """
    try:
        read = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise Invalid(
            "bundle_manifest", "The bundle's MANIFEST.json cannot be read.", "Take the bundle from its disk anew."
        ) from None
    if read.format != FORMAT:
        raise Invalid(
            "bundle_manifest",
            f"The bundle is of the format {read.format[:40]!r}, and this version reads {FORMAT}.",
            "Use the version of Frostbyte that the bundle belongs to.",
        )
    return read


def table(manifest: Manifest) -> str:
    """The manifest as MANIFEST.tsv: one thing a line, its kind first, fields apart by tabs, `-` for an empty one.

    bundle  ID VERSION ARCHITECTURE CREATED_AT TENANT SCHEMA BASE MEMORY_MB DISK_MB STAND_INS(comma)
    image   KEY NAME FILE SHA256 SIZE UNPACKED IMAGE_ID TAG PARTIAL(yes|no) DIFF_IDS(comma)
    model   NAME PATH SHA256 SIZE DATE
    script  NAME
    """
    lines = [
        (
            "bundle",
            manifest.bundle_id,
            manifest.version,
            manifest.architecture,
            manifest.created_at,
            manifest.tenant,
            manifest.schema,
            manifest.base,
            manifest.memory_mb,
            manifest.disk_mb,
            ",".join(manifest.stand_ins),
        ),
        *(
            (
                "image",
                image.key,
                image.name,
                image.file,
                image.sha256,
                image.size,
                image.unpacked,
                image.image_id,
                image.tag,
                "yes" if image.partial else "no",
                ",".join(layer.diff_id for layer in image.layers),
            )
            for image in manifest.images
        ),
        *(("model", model.name, model.path, model.sha256, model.size, model.date) for model in manifest.models),
        *(("script", name) for name in manifest.scripts),
    ]
    return "".join("\t".join(str(field) or "-" for field in line) + "\n" for line in lines)
