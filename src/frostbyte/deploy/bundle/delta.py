"""A delta bundle: what a host lacks that has another bundle already. Layers and models that it has stay at home.

Everything that is small travels whole: what a host keeps of a bundle is the same whichever way it came. So are the
bundle's id and its list of images, layers and models; `base` says which bundle must be there. Its sums and its
signature are its own.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from frostbyte.deploy.bundle import archive, layout, signing, sums
from frostbyte.deploy.bundle.contents import Contents
from frostbyte.deploy.bundle.folder import put, whole
from frostbyte.deploy.bundle.manifest import Image, Layer, Manifest, decode, encode, table
from frostbyte.deploy.bundle.packing import Packed
from frostbyte.kernel.errors import Invalid

_CHUNK: Final = 1 << 20
_OWN: Final = (layout.MANIFEST, layout.TABLE, layout.README)
"""What a delta says in other words than the bundle that it leads to."""
_README: Final = """\
# Frostbyte {version}: what has changed since {base}

This disk holds only what a host lacks that runs the bundle {base}. It leads to the bundle {bundle_id}.

**Believe nothing in this folder yet.** Stand in it, and check it with the keys that the host believes since its
installation, before you start any program that lies here:

    SIGNERS=/opt/frostbyte/trust/signers
    ssh-keygen -Y verify -f "$SIGNERS" -I frostbyte -n {namespace} -s {signature} < {sums} \\
      && sha256sum -c --strict --quiet {sums}

The first line of the answer says `Good "{namespace}" signature for frostbyte`; nothing comes after it. Anything else:
stop, and ask whoever gave you the disk.

Then:

    scripts/update.sh

Layers that are not on this disk are taken out of the images that run; each is compared with the digest that was signed.
"""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to make.

    Attributes:
        old, new: folders of two whole bundles.
        out: folder that the delta's folder is made in.
        key: signs it; None for one that nobody signs.
    """

    old: Path
    new: Path
    out: Path
    key: Path | None


@dataclass(frozen=True, kw_only=True)
class Made:
    """A delta that was made: its folder, what it says, its bytes, and those of the whole bundle."""

    folder: Path
    manifest: Manifest
    size: int
    whole: int


def make(order: Order, seen: Callable[[int], None] = lambda _: None) -> Made:
    """Make the delta. Equal bundles make equal bytes; every file that is taken from the new one is compared first.

    Args:
        seen: is told how many more bytes of the new bundle were dealt with.

    Raises:
        Invalid: `bundle_manifest`, `bundle_sums`; `bundle_delta`: these two cannot follow each other; `bundle_file`:
            one is not what the new bundle's sums say; `bundle_image`, `bundle_key`.
        Conflict: `bundle_exists`.
    """
    old, new = _manifest(order.old), _manifest(order.new)
    _follow(old, new)
    listed = sums.parse(_text(order.new / layout.SUMS))
    name = f"{layout.folder_name(new.version)}-from-{old.bundle_id}"
    with whole(order.out / name, new.created_at) as part:
        kept = {model.path for model in new.models if _has(old, model.path, model.sha256)}
        written = {
            path: _copy(order.new / path, part / path, digest, seen)
            for path, digest in listed.items()
            if path not in kept and path not in _OWN and not path.startswith(f"{layout.IMAGES}/")
        }
        images = _images(old, new, order.new, part, seen)
        manifest = msgspec.structs.replace(new, base=old.bundle_id, images=images)
        texts = {
            layout.MANIFEST: encode(manifest),
            layout.TABLE: table(manifest).encode(),
            layout.README: _readme(manifest),
        }
        for path, data in texts.items():
            put(part / path, data)
            written[path] = hashlib.sha256(data).hexdigest()
        written |= {image.file: image.sha256 for image in images}
        put(part / layout.SUMS, sums.text(written))
        if order.key is not None:
            signing.sign(part, order.key)
    folder = order.out / name
    return Made(folder=folder, manifest=manifest, size=_size(folder, written), whole=_size(order.new, listed))


def _images(old: Manifest, new: Manifest, source: Path, part: Path, seen: Callable[[int], None]) -> tuple[Image, ...]:
    """The new images with the layers that their predecessors lack. One that several of them lack travels once."""
    before = {image.key: frozenset(layer.diff_id for layer in image.layers) for image in old.images}
    carried: set[str] = set()
    images = []
    (part / layout.IMAGES).mkdir()
    for image in new.images:
        lacking = frozenset(layer.diff_id for layer in image.layers) - before.get(image.key, frozenset()) - carried
        images.append(_image(image, source / image.file, part / image.file, lacking))
        carried |= lacking
        seen(image.size)
    return tuple(images)


def _image(image: Image, source: Path, target: Path, lacking: frozenset[str]) -> Image:
    if not source.is_file() or sums.of_file(source) != image.sha256:
        raise _differs(image.file)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:

        def take(diff_id: str, chunks: Iterator[bytes]) -> None:
            if diff_id in lacking:
                with (Path(folder) / archive.layer_file(diff_id)).open("wb") as file:
                    file.writelines(chunks)

        inside = archive.read(source, take)
        if inside.image_id != image.image_id or not lacking <= inside.held:
            raise archive.broken()
        layers = [_packed(layer, Path(folder)) for layer in image.layers if layer.diff_id in lacking]
        written = archive.write(target, inside.configuration, inside.tag, layers)
    return msgspec.structs.replace(image, sha256=written.sha256, size=written.size, partial=True)


def _packed(layer: Layer, folder: Path) -> Packed:
    path = folder / archive.layer_file(layer.diff_id)
    return Packed(diff_id=layer.diff_id, size=layer.size, packed=path.stat().st_size, path=path, contents=Contents())


def _copy(source: Path, target: Path, digest: str, seen: Callable[[int], None]) -> str:
    """Copy a file and compare what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    read = hashlib.sha256()
    try:
        with source.open("rb") as file, target.open("wb") as copy:
            while chunk := file.read(_CHUNK):
                read.update(chunk)
                copy.write(chunk)
                seen(len(chunk))
        shutil.copymode(source, target)
    except OSError:
        raise _differs(source.name) from None
    if read.hexdigest() != digest:
        raise _differs(source.name)
    return digest


def _follow(old: Manifest, new: Manifest) -> None:
    """Whether a host that has the one can be given what it lacks of the other."""
    if old.base or new.base:
        why = "one of them is a delta itself"
    elif old.architecture != new.architecture:
        why = "they are for different architectures"
    elif old.tenant != new.tenant:
        why = "they are for different tenants"
    elif old.bundle_id == new.bundle_id:
        why = "they are the same bundle"
    elif {image.key for image in new.images} - {image.key for image in old.images}:
        why = "the new one has an image that the old one has not in any version"
    else:
        return
    raise Invalid(
        "bundle_delta", f"No delta leads from the one bundle to the other: {why}.", "Carry the new one whole."
    )


def _has(bundle: Manifest, path: str, digest: str) -> bool:
    return any((model.path, model.sha256) == (path, digest) for model in bundle.models)


def _manifest(folder: Path) -> Manifest:
    return decode(_text(folder / layout.MANIFEST))


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _size(folder: Path, paths: dict[str, str]) -> int:
    return sum((folder / path).stat().st_size for path in (*paths, layout.SUMS))


def _readme(manifest: Manifest) -> bytes:
    return _README.format(
        version=manifest.version,
        base=manifest.base,
        bundle_id=manifest.bundle_id,
        namespace=layout.NAMESPACE,
        signature=layout.SIGNATURE,
        sums=layout.SUMS,
    ).encode()


def _differs(name: str) -> Invalid:
    return Invalid(
        "bundle_file",
        f"{name} is not what the bundle's sums say.",
        "Check the bundle (frostbyte bundle check), and take it from its disk anew.",
    )
