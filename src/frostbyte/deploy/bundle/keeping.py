"""The way back for models and signatures: what lay there before, beside what is there now. No bytes are copied.

A file that is exchanged is replaced by another one, never written into (`models.place`); so another name for it keeps
it. The names lie in a folder of their own, which embedder and scanner do not look into, whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from frostbyte.kernel.errors import Conflict, Invalid

BESIDE: Final = ".before-"
_MARK: Final = re.compile(r"[a-z0-9]{1,16}")


class Kept:
    """What a folder held before an update.

    Args:
        folder: of a plane's models or signatures.
        mark: of the update, 1 to 16 of a-z and 0-9.

    Raises:
        Invalid: `snapshot_mark`.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        if not _MARK.fullmatch(mark):
            raise Invalid("snapshot_mark", "A copy is marked by 1 to 16 of a-z and 0-9.", "Choose another mark.")
        self._folder = folder
        self._kept = folder / f"{BESIDE}{mark}"

    def keep(self) -> bool:
        """Give all files a second name. Whether that was done now: what is kept already stays.

        Raises:
            Conflict: `snapshot_left`: another update's are there.
        """
        if self._kept.is_dir():
            return False
        part = self._folder / f"{BESIDE}part"
        shutil.rmtree(part, ignore_errors=True)
        others = [path for path in self._folder.glob(f"{BESIDE}*") if path != part]
        if others:
            raise Conflict(
                "snapshot_left",
                "Another update left models or signatures of before.",
                "End that update first; its script does so when it is run again.",
            )
        part.mkdir()
        for path in _files(self._folder):
            beside = part / path.relative_to(self._folder)
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.hardlink_to(path)
        _sync(part)
        part.rename(self._kept)
        _sync(self._folder)
        return True

    def restore(self) -> bool:
        """Have the folder hold what it held, and nothing else. Whether anything was kept.

        Killed on the way, it is done again from the beginning: what was kept is given up when all of it lies there.
        """
        if not self._kept.is_dir():
            return False
        wanted = {path.relative_to(self._kept): path for path in _files(self._kept)}
        for name, path in wanted.items():
            place = self._folder / name
            if place.exists() and place.samefile(path):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            link = place.with_name(f".{place.name}.back")
            link.unlink(missing_ok=True)
            link.hardlink_to(path)
            link.rename(place)
        for path in list(_files(self._folder)):
            if path.relative_to(self._folder) not in wanted:
                path.unlink()
        _sync(self._folder)
        return self.drop()

    def drop(self) -> bool:
        """Give up what was kept. Whether there was anything."""
        if not self._kept.is_dir():
            return False
        gone = self._folder / f"{BESIDE}part"
        shutil.rmtree(gone, ignore_errors=True)
        self._kept.rename(gone)  # from now on there is no way back, even if what follows is cut off
        shutil.rmtree(gone)
        _sync(self._folder)
        return True


def _files(folder: Path) -> Iterator[Path]:
    """All files, but not what is kept of them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(BESIDE) for part in path.relative_to(folder).parts):
            yield path


def _sync(folder: Path) -> None:
    """A name is durable once its folder is; folders inside first."""
    for inside in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _sync_one(inside)
    _sync_one(folder)


def _sync_one(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
