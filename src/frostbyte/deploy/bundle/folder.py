"""Writes the folder of a bundle: it has its name only when it is whole and on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from frostbyte.deploy.bundle import sums
from frostbyte.kernel.errors import Conflict


def put(path: Path, data: bytes) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@contextmanager
def whole(folder: Path, moment: str) -> Iterator[Path]:
    """A folder to write into that becomes `folder` at the end; what was begun before and not ended is done anew.

    Args:
        moment: ISO 8601; all files are as old as that.

    Raises:
        Conflict: `bundle_exists`.
    """
    if folder.exists():
        raise Conflict(
            "bundle_exists", f"{folder} is there already.", "Take it away, or name another folder with --out."
        )
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    seconds = datetime.fromisoformat(moment).timestamp()
    for _, path in sums.files(part):
        path.chmod(0o755 if path.suffix == ".sh" else 0o644)
        os.utime(path, (seconds, seconds))
        with path.open("rb") as file:
            os.fsync(file.fileno())
    part.rename(folder)
