"""Finds what a lock names, and compares it before anything is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from frostbyte.deploy.bundle.lock import Lock, LockedImage
from frostbyte.deploy.bundle.passing import differs
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.engine import Engine, Stored

_AT_ONCE: Final = 4
"""Images that an engine is asked about at the same time: it answers slowly, and does little for it."""


def locate(lock: Lock, engine: Engine) -> dict[str, Stored]:
    """The images by key, each as the lock says it as far as its engine knows.

    Raises:
        NotFound: `bundle_missing`.
        Invalid: `bundle_differs`.
        Unavailable: as `Engine`.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="locate") as pool:
        found = pool.map(lambda image: locate_one(image, lock.architecture, engine), lock.images)
        return dict(zip((image.key for image in lock.images), found, strict=True))


def locate_one(image: LockedImage, architecture: str, engine: Engine) -> Stored:
    """One of them. A tag that has moved on is no harm where the engine has the image by its id or digest.

    Raises:
        NotFound: `bundle_missing`: there is none, or another one that a registry's digest can put right.
        Invalid: `bundle_differs`: there is another one of its name.
        Unavailable: as `Engine`.
    """
    digest = [f"{repository(image.name)}@{image.digest}"] if image.digest else []
    others = False
    for name in (image.image_id, *digest, image.name):
        found = engine.find(name, architecture)
        if found is not None and found.image_id in ("", image.image_id) and found.layers == image.layers:
            return found
        others = others or found is not None
    if others and not image.digest:
        raise differs(image.name)
    raise missing(image.name)


def repository(name: str) -> str:
    """A name without its tag; a port behind the host is none."""
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def missing(name: str) -> NotFound:
    """The error for what the lock names and nobody has."""
    return NotFound(
        "bundle_missing",
        f"{name[:80]}, which the lock names, is not here for this architecture.",
        "Fetch it: frostbyte bundle fetch; or build the image.",
    )
