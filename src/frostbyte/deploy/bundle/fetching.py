"""Collects what a lock names, on a machine that reaches it or from folders: whatever is there already stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from frostbyte.deploy.bundle import sums
from frostbyte.deploy.bundle.locating import locate_one, missing, repository
from frostbyte.deploy.bundle.lock import Lock, LockedImage
from frostbyte.deploy.bundle.manifest import Model
from frostbyte.deploy.bundle.passing import differs
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.downloads import Downloads
from frostbyte.kernel.ports.engine import Engine

_CHUNK: Final = 1 << 20
_PART: Final = ".part"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of it.

    Attributes:
        kept: names of images and paths of models that were there.
        brought: those that came now.
    """

    kept: tuple[str, ...]
    brought: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where things come from: an engine, which pulls; folders, looked through at any depth; addresses in the lock."""

    engine: Engine
    folders: Sequence[Path]
    downloads: Downloads


def fetch(lock: Lock, into: Path, sources: Sources, seen: Callable[[int], None] = lambda _: None) -> Fetched:
    """Bring all that the lock names: images into the engine, models below `into` by their paths in the bundle.

    A file has its name only when its sum is right. What was downloaded in part goes on where it stopped.

    Raises:
        NotFound: `bundle_missing`: nobody has it.
        Invalid: `bundle_differs`: what came is not what the lock names.
        Unavailable: as `Engine` and `Downloads`.
    """
    kept: list[str] = []
    brought: list[str] = []
    for image in lock.images:
        (kept if _image(image, lock.architecture, sources.engine) else brought).append(image.name)
    for model in lock.models:
        (kept if _model(model, into, sources, seen) else brought).append(model.path)
    return Fetched(kept=tuple(kept), brought=tuple(brought))


def _image(image: LockedImage, architecture: str, engine: Engine) -> bool:
    try:
        locate_one(image, architecture, engine)
    except NotFound:
        if not image.digest:
            raise  # no registry has it
    else:
        return True
    engine.pull(f"{repository(image.name)}@{image.digest}", architecture)
    locate_one(image, architecture, engine)
    return False


def _model(model: Model, into: Path, sources: Sources, seen: Callable[[int], None]) -> bool:
    target = into / model.path
    if target.is_file() and target.stat().st_size == model.size and sums.of_file(target, seen) == model.sha256:
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    for found in _files(sources.folders, model.size):
        if sums.of_file(found) == model.sha256:
            _written(part, model, seen, lambda file, found=found: _copy(found, file))  # type: ignore[misc]
            part.replace(target)
            return False
    if not model.source.startswith(("https://", "http://")):
        raise missing(model.path)
    _written(part, model, seen, lambda file: _download(sources.downloads, model.source, file))
    part.replace(target)
    return False


def _files(folders: Sequence[Path], size: int) -> Iterator[Path]:
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                path = Path(place) / name
                if path.is_file() and path.stat().st_size == size:
                    yield path


def _written(
    part: Path, model: Model, seen: Callable[[int], None], source: Callable[[BinaryIO], Iterator[bytes]]
) -> None:
    """Write what comes and compare it; a part whose sum is wrong is taken away."""
    with part.open("ab") as file:
        file.seek(0, os.SEEK_END)
        for chunk in source(file):
            file.write(chunk)
            seen(len(chunk))
            if file.tell() > model.size:
                break
        file.flush()
        os.fsync(file.fileno())
    if part.stat().st_size != model.size or sums.of_file(part) != model.sha256:
        part.unlink()
        raise differs(model.path)


def _copy(found: Path, file: BinaryIO) -> Iterator[bytes]:
    file.truncate(0)
    with found.open("rb") as opened:
        yield from iter(lambda: opened.read(_CHUNK), b"")


def _download(downloads: Downloads, address: str, file: BinaryIO) -> Iterator[bytes]:
    with downloads.get(address, file.tell()) as coming:
        if coming.start != file.tell():
            file.truncate(0)
        yield from coming.chunks
