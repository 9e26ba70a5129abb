"""Volumes of hosts without machines: what `frostbyte-volume` would do and say there (deploy/hosts/volume.sh).

What lies on a volume outlives servers and boots; that it was opened does not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A volume at a machine.

    Attributes:
        plain: whether it was ordered with a file system.
    """

    volume_id: str
    plain: bool = True


class Refused(Exception):
    """What the program says on its standard error."""


class MemoryVolumes:
    """What lies on volumes.

    Args:
        folder: where that is kept; None keeps it in this process.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._keys: dict[str, str] = {}

    def sealed(self, volume: Attached) -> bool:
        """Whether it was encrypted."""
        return bool(self._key(volume.volume_id))

    def said(self, volume: Attached | None, word: str, key: str, *, opened: bool) -> tuple[str, bool]:
        """What the program prints, and whether the volume is open and mounted afterwards. Raises Refused."""
        if volume is None:
            if word == "state":
                return "none", False
            raise Refused("no volume is attached")
        if word == "state":
            return self._state(volume, opened=opened), opened
        if word == "grow":
            return "", opened
        if word == "boot":
            return "", opened or self._state(volume, opened=opened) == "plain-mounted"
        assert word in ("open", "make"), word
        return "", self._opened(volume, word, key.removesuffix("\n"))

    def _state(self, volume: Attached, *, opened: bool) -> str:
        if self.sealed(volume):
            return "mounted" if opened else "locked"
        return "plain-mounted" if volume.plain else "empty"

    def _opened(self, volume: Attached, word: str, key: str) -> bool:
        if not key:
            raise Refused("no key was given")
        state = self._state(volume, opened=False)
        if state == "empty" and word == "make":
            self._keep(volume.volume_id, _digest(key))
        elif state != "locked":
            raise Refused(f"the volume is not encrypted but {state.removesuffix('-mounted')}")
        if self._key(volume.volume_id) != _digest(key):
            raise Refused("the volume does not open with this key")
        return True

    def _key(self, volume_id: str) -> str:
        if self._folder is None:
            return self._keys.get(volume_id, "")
        path = self._folder / f"volume-{volume_id}.json"
        return str(json.loads(path.read_text(encoding="utf-8"))["key_sha256"]) if path.exists() else ""

    def _keep(self, volume_id: str, digest: str) -> None:
        if self._folder is None:
            self._keys[volume_id] = digest
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / f"volume-{volume_id}.json").write_text(json.dumps({"key_sha256": digest}), encoding="utf-8")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
