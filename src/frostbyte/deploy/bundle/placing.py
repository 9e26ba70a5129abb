"""Puts models and signatures of a bundle where a plane's embedder and scanner find them, each whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from frostbyte.deploy.bundle import layout
from frostbyte.deploy.bundle.keeping import BESIDE
from frostbyte.deploy.bundle.manifest import Manifest, Model
from frostbyte.kernel.errors import Invalid

_CHUNK: Final = 1 << 20
_MODE: Final = 0o644
"""Embedder and scanner run as users of their own, and only read."""
_PART: Final = ".part"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What was done.

    Attributes:
        copied, kept, removed: paths below the volumes, as a bundle names them.
    """

    copied: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def place(manifest: Manifest, bundle: Path, *, models: Path, signatures: Path) -> Placed:
    """Make the two folders hold what the manifest says and nothing else.

    What is there and right stays, so that a bundle which carries only what changed is enough, and doing it again copies
    nothing. A file takes its place when all of it is on the disk and is what the manifest says: an embedder or scanner
    that runs has the old one or the new one, never a part.

    Args:
        bundle: the bundle's folder; its files are read only where they are needed.
        models, signatures: where the volumes are.

    Raises:
        Invalid: `model_differs`: a file of the bundle is missing or not what the manifest says; `models_unwritable`.
    """
    wanted = {model.path: (model, _target(model, models, signatures)) for model in manifest.models}
    copied, kept = [], []
    with _refused():
        for path, (model, target) in wanted.items():
            if target.is_file() and not target.is_symlink() and _digest(target) == model.sha256:
                kept.append(path)
                continue
            _copy(bundle / path, target, model)
            copied.append(path)
        removed = _clear(signatures, {target for _, target in wanted.values()}, layout.SIGNATURES)
        removed += _clear(models, {target for _, target in wanted.values()}, layout.MODELS)
    return Placed(copied=tuple(copied), kept=tuple(kept), removed=tuple(removed))


def _target(model: Model, models: Path, signatures: Path) -> Path:
    """`models/clamav/X` is X in the scanner's folder; everything else keeps its path below the models' folder."""
    path = Path(model.path)
    if path.is_absolute() or ".." in path.parts or path.parts[0] != layout.MODELS:
        raise Invalid("bundle_manifest", "The manifest names a model outside models/.", "Use nothing of this bundle.")
    if path.parent == Path(layout.SIGNATURES):
        return signatures / path.name
    return models / path.relative_to(layout.MODELS)


def _copy(source: Path, target: Path, model: Model) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}{_PART}")
    part.unlink(missing_ok=True)
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file, part.open("xb") as out:
            for chunk in _chunks(file):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fchmod(out.fileno(), _MODE)
            os.fsync(out.fileno())
    except FileNotFoundError:
        raise _differs(model) from None
    if digest.hexdigest() != model.sha256:
        part.unlink()
        raise _differs(model)
    part.replace(target)
    _sync(target.parent)


def _clear(folder: Path, wanted: set[Path], name: str) -> list[str]:
    """Take away what an older bundle brought and what a cut left: a database of yesterday beside today's is two."""
    removed = []
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.relative_to(folder).parts[0].startswith(BESIDE):
            continue  # the way back of an update
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()
            removed.append(f"{name}/{path.relative_to(folder).as_posix()}")
    return removed


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _sync(folder: Path) -> None:
    """A name is durable once its folder is."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _differs(model: Model) -> Invalid:
    return Invalid(
        "model_differs",
        f"{model.path} is missing in the bundle, or is not what its manifest says.",
        "Check the bundle's signature and sums again, and copy it from its disk anew.",
    )


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Invalid(
            "models_unwritable",
            f"Models and signatures cannot be put in their place ({error.strerror}).",
            "Look for room on the disk of Docker's volumes, and run the same command again.",
        ) from error
