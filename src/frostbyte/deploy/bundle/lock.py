"""What a bundle is to be made of, to the byte: bundle.lock.json. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from frostbyte.deploy.bundle.manifest import ARCHITECTURES, Model
from frostbyte.deploy.compose import IMAGES
from frostbyte.kernel.errors import Invalid

FORMAT: Final = "frostbyte-bundle-lock/1"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SUM: Final = re.compile(r"[0-9a-f]{64}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PATH: Final = re.compile(r"models/[a-z0-9][a-z0-9.-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_NAME: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*")


class LockedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is pinned.

    Attributes:
        key: as `deploy.compose.IMAGES` names it.
        name: repository and tag, for people and for asking an engine.
        digest: `sha256:...` by which its registry has it (see Engine.resolve); '' for one that was built here.
        image_id: `sha256:...` of its configuration, which names its layers: this is what pins the content.
        layers: diff ids, lowest first.
        built_here: it was never in a registry, and whoever made the lock said so.
    """

    key: str
    name: str
    digest: str
    image_id: str
    layers: tuple[str, ...]
    built_here: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a bundle carries and that is not in Frostbyte's own package.

    Attributes:
        version: of Frostbyte: only this version builds from it.
        architecture: of all images.
        created_at: ISO 8601 UTC; the bundle says it of itself, so that equal locks make equal bytes.
        images: sorted by key.
        models: sorted by path.
        dimensions: of the embedding model's vectors.
        stand_ins: services that a stand-in takes the place of.
        format: FORMAT.
    """

    version: str
    architecture: str
    created_at: str
    images: tuple[LockedImage, ...]
    models: tuple[Model, ...]
    dimensions: int = 768
    stand_ins: tuple[str, ...] = ()
    format: str = FORMAT


def encode(lock: Lock) -> bytes:
    """As it is written to a file."""
    return msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n"


def decode(data: bytes) -> Lock:
    """Read a lock.

    Raises:
        Invalid: `bundle_lock`: it is none; `bundle_unpinned`: it names something that it does not pin.
    """
    try:
        lock = msgspec.json.decode(data, type=Lock)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise _wrong("it cannot be read") from None
    check(lock)
    return lock


def check(lock: Lock) -> None:
    """Whether it can be built from.

    Raises:
        Invalid: `bundle_lock`, `bundle_unpinned`.
    """
    keys = [image.key for image in lock.images]
    paths = [model.path for model in lock.models]
    if lock.format != FORMAT:
        raise _wrong(f"its format is not {FORMAT}")
    if lock.architecture not in ARCHITECTURES:
        raise _wrong(f"its architecture is none of {', '.join(ARCHITECTURES)}")
    if not _MOMENT.fullmatch(lock.created_at):
        raise _wrong("its time is not written like 2026-01-31T12:00:00Z")
    if keys != sorted(set(keys)) or paths != sorted(set(paths)):
        raise _wrong("its images or models are not sorted, or one is there twice")
    if unknown := set(keys) - set(IMAGES):
        raise _wrong(f"there is no image {sorted(unknown)[0][:40]}")
    if not all(_PATH.fullmatch(path) for path in paths) or not all(
        _NAME.fullmatch(image.name) for image in lock.images
    ):
        raise _wrong("a name or a path in it is not one that a bundle can hold")
    for image in lock.images:
        _pinned(image)
    for model in lock.models:
        if not _SUM.fullmatch(model.sha256) or model.size < 0:
            raise _unpinned(model.path)


def complete(lock: Lock) -> None:
    """Whether it names an image for everything that a plane runs.

    Raises:
        Invalid: `bundle_lock`.
    """
    if missing := sorted(set(IMAGES) - {image.key for image in lock.images}):
        raise _wrong(f"it has no image for {', '.join(missing)}")


def unique(images: Sequence[LockedImage]) -> list[str]:
    """Diff ids of all layers, each once."""
    return list(dict.fromkeys(layer for image in images for layer in image.layers))


def _pinned(image: LockedImage) -> None:
    pinned = _DIGEST.fullmatch(image.image_id) and image.layers and all(map(_DIGEST.fullmatch, image.layers))
    named = _DIGEST.fullmatch(image.digest) or (image.built_here and not image.digest)
    if not pinned or not named:
        raise _unpinned(image.name)


def _wrong(why: str) -> Invalid:
    return Invalid("bundle_lock", f"The lock cannot be built from: {why}.", "Make it anew: frostbyte bundle lock.")


def _unpinned(name: str) -> Invalid:
    return Invalid(
        "bundle_unpinned",
        f"The lock does not say to the byte what {name[:80]} is.",
        "Make it anew: frostbyte bundle lock; an image that was never in a registry needs --built-here.",
    )
