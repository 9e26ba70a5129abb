"""Builds a bundle: images go by once, hashed, looked through, compressed and copied at the same time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from frostbyte.deploy.bundle import layout, leaks, sbom, signing, sums
from frostbyte.deploy.bundle import texts as small
from frostbyte.deploy.bundle.folder import put, whole
from frostbyte.deploy.bundle.grouping import size
from frostbyte.deploy.bundle.locating import locate, missing
from frostbyte.deploy.bundle.lock import Lock, complete
from frostbyte.deploy.bundle.manifest import Image, Manifest, Model, encode, table
from frostbyte.deploy.bundle.passing import Passing, Taken, differs
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.engine import Engine, Stored

_MIB: Final = 1 << 20
_ROOM_MB: Final = 2048
"""Disk for what a plane keeps of its own at first: databases, logs, vectors."""
_PACKAGES: Final = f"{layout.LICENCES}/packages.tsv"


class Report:
    """Is told how far a build is. This one says nothing."""

    def begin(self, total: int) -> None:
        """About so many bytes will be read."""

    def read(self, count: int) -> None:
        """So many more were read; from several threads."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to build.

    Attributes:
        models: folder in which the lock's models lie, by their paths in the bundle.
        out: folder that the bundle's folder is made in.
        key: signs it; None for one that nobody signs.
    """

    lock: Lock
    given: small.Given
    models: Path
    out: Path
    key: Path | None


def build(order: Order, engine: Engine, report: Report | None = None) -> tuple[Path, Manifest]:
    """Build it. Only when it is whole it has its name; what was begun before is done anew.

    Raises:
        Invalid: `bundle_lock`, `bundle_unpinned`, `bundle_secret`, `bundle_key`, `bundle_name`, `config_invalid`,
            `rules_invalid`, `bundle_layer`; `bundle_differs`: an image or model is not what the lock says.
        NotFound: `bundle_missing`: an image or model is not there.
        Conflict: `bundle_exists`.
        Unavailable: as `Engine`.
    """
    lock, tenant = order.lock, order.given.tenant
    complete(lock)
    small_files = small.texts(lock, order.given)
    for path, data in small_files.items():
        _may_travel(path, data)
    for model in lock.models:
        if not (order.models / model.path).is_file():
            raise missing(model.path)
    stored = locate(lock, engine)
    with whole(order.out / layout.folder_name(lock.version), lock.created_at) as part:
        taken = _read(order, stored, engine, part, report or Report())
        manifest = _manifest(order, [image for image, _ in taken], small_files)
        inside = {image.key: packages for image, packages in taken}
        small_files |= {
            _PACKAGES: sbom.table(manifest, inside),
            layout.README: small.readme(lock, tenant, manifest.memory_mb, manifest.disk_mb),
            layout.SBOM: sbom.bill(manifest, inside),
            layout.MANIFEST: encode(manifest),
            layout.TABLE: table(manifest).encode(),
        }
        for path, data in small_files.items():
            put(part / path, data)
        files = {path: hashlib.sha256(data).hexdigest() for path, data in small_files.items()}
        files |= {image.file: image.sha256 for image in manifest.images}
        files |= {model.path: model.sha256 for model in manifest.models}
        put(part / layout.SUMS, sums.text(files))
        if order.key is not None:
            signing.sign(part, order.key)
    return order.out / layout.folder_name(lock.version), manifest


def _read(order: Order, stored: Mapping[str, Stored], engine: Engine, part: Path, report: Report) -> list[Taken]:
    """Images, and models beside them."""
    locked = {image.key: image for image in order.lock.images}
    report.begin(size(list(stored.values())) + sum(model.size for model in order.lock.models))
    with (
        Passing(part, order.lock.architecture, report.read) as passing,
        ThreadPoolExecutor(1, thread_name_prefix="copy") as pool,
    ):
        models = [pool.submit(_copy, model, order.models, part, report) for model in order.lock.models]
        for model in models:
            model.add_done_callback(lambda done: _stopped(passing, done))
        try:
            taken = passing.take([(locked[key], stored[key]) for key in sorted(stored)], engine)
            for model in models:
                model.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return sorted(taken, key=lambda one: one[0].key)


def _stopped(passing: Passing, done: Future[None]) -> None:
    """An engine gives gigabytes: who has lost already does not wait for them."""
    if not done.cancelled() and (error := done.exception()) is not None:
        passing.stop(error)


def _copy(model: Model, models: Path, part: Path, report: Report) -> None:
    """Copy a model, and compare what was copied."""
    target, digest = part / model.path, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (models / model.path).open("rb") as source, target.open("wb") as file:
        while chunk := source.read(_MIB):
            digest.update(chunk)
            file.write(chunk)
            report.read(len(chunk))
    if digest.hexdigest() != model.sha256:
        raise differs(model.path)


def _manifest(order: Order, images: Sequence[Image], files: Mapping[str, bytes]) -> Manifest:
    lock = order.lock
    names = sums.text(
        {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        | {image.file: image.sha256 for image in images}
        | {model.path: model.sha256 for model in lock.models}
    )
    layers = {layer.diff_id: layer.size for image in images for layer in image.layers}
    models = sum(model.size for model in lock.models)
    return Manifest(
        version=lock.version,
        bundle_id=f"{lock.version}-{lock.architecture}-{hashlib.sha256(names).hexdigest()[:12]}",
        created_at=lock.created_at,
        architecture=lock.architecture,
        tenant=order.given.tenant,
        schema=len(order.given.migrations),
        images=tuple(images),
        models=lock.models,
        scripts=tuple(sorted(small.scripts())),
        memory_mb=small.memory_mb(lock, order.given.tenant),
        disk_mb=(sum(layers.values()) + models + max(image.size for image in images)) // _MIB + _ROOM_MB,
        stand_ins=lock.stand_ins,
    )


def _may_travel(path: str, data: bytes) -> None:
    if not sums.safe(path):
        raise Invalid(
            "bundle_name", "A file has a name that a bundle cannot hold.", "Use plain letters, digits, dots and dashes."
        )
    for line, kind in leaks.found(data):
        raise leaks.refusal(path, f"{kind}, line {line}")
