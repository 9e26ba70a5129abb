"""The sets that a control plane took, in its data folder: files by the digest of what is in them, and what each says.

sets/{supply_id}.json    what is in a set; written when all of its files are there
files/{sha256}           a file of one or several sets
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from frostbyte.control_plane.upkeep.supplies import Package, Supply
from frostbyte.kernel.errors import Invalid, NotFound

_CHUNK: Final = 1 << 20


class FolderShelf:
    """See control_plane.upkeep.supplies.Shelf. Several processes may take and read at once."""

    def __init__(self, folder: Path) -> None:
        self._sets, self._files = folder / "sets", folder / "files"

    def supplies(self) -> list[Supply]:
        found = (self._read(path) for path in self._sets.glob("*.json") if not path.name.startswith("."))
        return sorted(found, key=lambda supply: (supply.created_at, supply.supply_id), reverse=True)

    def supply(self, supply_id: str) -> Supply:
        path = self._sets / f"{Path(supply_id).name}.json"
        if not path.is_file():
            raise NotFound(
                "supply_unknown", "No such set was taken.", "`frostbyte deliver status` shows those that were."
            )
        return self._read(path)

    def file(self, sha256: str) -> Path:
        path = self._files / sha256
        if not path.is_file():
            raise NotFound(
                "supply_file_missing",
                "A file of the set is not in the control plane's folder any more.",
                "Take the set once more: frostbyte deliver take.",
            )
        return path

    def package(self, package: str, version: str, architecture: str) -> Package | None:
        for supply in self.supplies():
            for one in supply.packages:
                if (one.package, one.version, one.architecture) == (package, version, architecture):
                    return one
        return None

    def take(self, supply: Supply, files: Mapping[str, Path]) -> None:
        """Keep a set that was read: its files first, each compared while it is copied, then what it says.

        Raises:
            Invalid: `supply_damaged`: a file is another one than when it was read.
        """
        for folder in (self._sets, self._files):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for sha256, path in files.items():
            if not (self._files / sha256).is_file():
                self._copied(path, sha256)
        part = self._sets / f".{uuid4().hex}"
        part.write_bytes(msgspec.json.format(msgspec.json.encode(supply)) + b"\n")
        _durable(part)
        part.replace(self._sets / f"{supply.supply_id}.json")
        _durable(self._files)
        _durable(self._sets)

    def _copied(self, source: Path, sha256: str) -> None:
        part = self._files / f".{uuid4().hex}"
        digest = hashlib.sha256()
        try:
            with source.open("rb") as given, part.open("xb") as sink:
                while chunk := given.read(_CHUNK):
                    digest.update(chunk)
                    sink.write(chunk)
                sink.flush()
                os.fsync(sink.fileno())
            if digest.hexdigest() != sha256:
                raise Invalid(
                    "supply_damaged",
                    "A file of the set changed while it was taken.",
                    "Take it anew from where it came; nothing of it was kept.",
                )
            part.replace(self._files / sha256)
        finally:
            part.unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> Supply:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Supply)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            raise Invalid(
                "supply_format",
                "What a set in the control plane's folder says cannot be read.",
                "Take the set once more: frostbyte deliver take.",
            ) from None


def _durable(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
