"""A world in a file, so that a simulator that was killed goes on where it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from frostbyte.adapters.hetzner.world.world import Saved, World

FORMAT: Final = 1


class StateUnreadable(Exception):
    """The file is no world, or one of another version."""


class StateFile:
    """Where a world is kept.

    Args:
        path: a file of mode 0600; it holds tokens and user data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Saved | None:
        """What was kept; None before anything was. Raises StateUnreadable."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            saved = msgspec.json.decode(text, type=Saved)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateUnreadable(str(error)) from None
        if saved.format != FORMAT:
            raise StateUnreadable("another format")
        return saved

    def keep(self, world: World) -> None:
        """Write it down, whole or not at all. A killed process loses nothing; the machine's own end may."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(world.save())
        beside.replace(self._path)
