"""The files of a control plane's data folder that are kept elsewhere, and put back from there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.adapters.secrets.files import shred, sync_folder, write_new
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.errors import Unavailable

KEYS: Final = "secrets"
PUBLIC: Final = ("releases",)
PRIVATE: Final = ("vault", "authorities", "edge-ca", "projects", "backups")
NEVER: Final = frozenset({f"{KEYS}/log.key"})
"""What signs the log never leaves: who restores begins a log of its own."""
_PASSING: Final = "."
"""How names of files begin that are being written."""
_LEFT: Final = re.compile(r"\.[0-9a-f]{32}")
"""What `write_new` and `put` call them."""


class KeptFiles:
    """See control_plane.backup.ports.Files.

    Args:
        data_dir: of the control plane.
        keys: where its own keys are, which may be elsewhere.
    """

    def __init__(self, data_dir: Path, keys: Path) -> None:
        self._data_dir, self._keys = data_dir, keys

    def public(self) -> Mapping[str, bytes]:
        """See the port."""
        return dict(self._below(PUBLIC))

    def private(self) -> Mapping[str, bytes]:
        """See the port. What goes while it is read is not there any more."""
        return {name: data for name, data in self._below((KEYS, *PRIVATE)) if name not in NEVER}

    def put(self, files: Mapping[str, bytes], *, replace: bool) -> int:
        """See the port. What a write that was killed has left is destroyed: it is a copy of a secret."""
        for folder in (KEYS, *PUBLIC, *PRIVATE):
            _swept(self._root(f"{folder}/"))
        count = 0
        for name, data in sorted(files.items()):
            place = self._place(name)
            try:
                _folders(self._root(name), place.parent)
                count += _written(place, data, replace=replace)
            except OSError as error:
                raise Unavailable(
                    "secret_unwritable",
                    f"A file of the data folder cannot be written ({error.strerror}).",
                    "Check that the folder is on a writable disk with free space.",
                ) from None
        return count

    def _below(self, folders: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        for folder in folders:
            root = self._keys if folder == KEYS else self._data_dir / folder
            for path in sorted(root.rglob("*")) if root.is_dir() else ():
                if path.name.startswith(_PASSING) or path.is_symlink() or not path.is_file():
                    continue
                try:
                    yield f"{folder}/{path.relative_to(root)}", path.read_bytes()
                except FileNotFoundError:  # destroyed since the folder was listed
                    continue

    def _root(self, name: str) -> Path:
        folder = name.partition("/")[0]
        return self._keys if folder == KEYS else self._data_dir / folder

    def _place(self, name: str) -> Path:
        folder, _, rest = name.partition("/")
        parts = rest.split("/")
        known = folder in (KEYS, *PUBLIC, *PRIVATE)
        if not known or any(part in ("", ".", "..") or "\0" in part for part in parts) or name in NEVER:
            raise broken("it holds a file that no control plane keeps")
        return self._root(name).joinpath(*parts)


def _swept(root: Path) -> None:
    """Nobody else writes meanwhile: the data folder is held."""
    for path in root.rglob(f"{_PASSING}*") if root.is_dir() else ():
        if _LEFT.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            shred(path)


def _folders(root: Path, wanted: Path) -> None:
    """Make them private, each: `mkdir` gives those in between the mode that the process makes files with."""
    for folder in reversed([wanted, *wanted.parents]):
        if folder == root or root in folder.parents:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _written(place: Path, data: bytes, *, replace: bool) -> bool:
    if place.exists():
        if not replace or place.read_bytes() == data:
            return False
        fresh = place.with_name(f"{_PASSING}{uuid4().hex}")
        write_new(fresh, data)
        os.replace(fresh, place)
        sync_folder(place.parent)
        return True
    return write_new(place, data)
