"""Makes a lock: names become digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frostbyte.deploy.bundle.archive import diff_ids
from frostbyte.deploy.bundle.locating import missing, repository
from frostbyte.deploy.bundle.lock import Lock, LockedImage, check
from frostbyte.deploy.bundle.manifest import Model
from frostbyte.deploy.bundle.passing import differs
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.engine import Engine, Stored


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a lock is to pin.

    Attributes:
        images: references by key: repository and tag, or with a digest behind `@`, or the id of an image that is here.
        built_here: what is on this machine is meant, whatever registries have by now; an image without a digest of
            one was built here.
    """

    version: str
    architecture: str
    created_at: str
    images: Mapping[str, str]
    models: Sequence[Model]
    dimensions: int
    stand_ins: Sequence[str]
    built_here: bool


def lock(wanted: Wanted, engine: Engine) -> Lock:
    """Pin all of it. Images that are not here are pulled; a tag is asked of its registry unless it was built here.

    Raises:
        Invalid: `bundle_unpinned`: a tag that stands for nothing fixed; `bundle_lock`.
        NotFound, Unavailable: as `Engine`.
    """
    made = Lock(
        version=wanted.version,
        architecture=wanted.architecture,
        created_at=wanted.created_at,
        images=tuple(_image(key, name, wanted, engine) for key, name in sorted(wanted.images.items())),
        models=tuple(sorted(wanted.models, key=lambda model: model.path)),
        dimensions=wanted.dimensions,
        stand_ins=tuple(sorted(wanted.stand_ins)),
    )
    check(made)
    return made


def _image(key: str, name: str, wanted: Wanted, engine: Engine) -> LockedImage:
    name, _, digest = name.partition("@")
    stored = engine.find(f"{name}@{digest}" if digest else name, wanted.architecture)
    if not digest and wanted.built_here and stored is not None:
        digest = next(iter(stored.digests), "")
    elif not digest:
        digest = engine.resolve(name, wanted.architecture)
        stored = engine.find(f"{repository(name)}@{digest}", wanted.architecture)
    if stored is None:
        reference = f"{repository(name)}@{digest}"
        engine.pull(reference, wanted.architecture)
        stored = engine.find(reference, wanted.architecture)
    if stored is None:
        raise missing(name)
    return LockedImage(
        key=key,
        name=name,
        digest=digest,
        image_id=stored.image_id or _identity(stored, engine),
        layers=stored.layers,
        built_here=not digest,
    )


def _identity(stored: Stored, engine: Engine) -> str:
    """The digest of an image's configuration, where the engine does not know it: found among what it gives.

    Raises:
        Invalid: `bundle_differs`: no configuration there names these layers.
    """
    found = ""
    with engine.entries([stored]) as entries:
        for entry in entries:
            first = next(entry.chunks, b"")
            if not first.startswith(b"{") or entry.size > 1 << 20:
                continue
            text = first + b"".join(entry.chunks)
            try:
                names = diff_ids(text)
            except Invalid:
                continue
            if names == stored.layers:
                found = f"sha256:{hashlib.sha256(text).hexdigest()}"
    if not found:
        raise differs(stored.reference)
    return found
