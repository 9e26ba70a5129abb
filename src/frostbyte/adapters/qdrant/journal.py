"""Making the engine's writes durable.

The engine writes every update into its log (`wal/` in a shard's folder) before it applies it, and reads the log again
when it opens the shard. So an update is durable once the log's files are on the disk: 10 to 40 ms, in which others
work. The engine's own flush, which writes the segments out as well, takes 100 to 450 ms and stops the whole
interpreter; it is needed only now and then, so that little of the log has to be read at the next start.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FLUSH_POINTS: Final = 5_000
"""Points written until the engine's own flush is due: reading so many again takes two seconds at most."""
_TRIES: Final = 5


class Journal:
    """The log of one shard.

    Args:
        shard: the shard's folder.
    """

    def __init__(self, shard: Path) -> None:
        self._folder = shard / "wal"
        self._done: set[str] = set()
        """Files that are written no more, and were put on the disk after that."""

    def sync(self) -> None:
        """Put all that was written before on the disk. Raises OSError."""
        for last in (False,) * _TRIES + (True,):
            try:
                for name in sorted(os.listdir(self._folder)):
                    self._sync(name)
                break
            except FileNotFoundError:  # the engine gave a file another name meanwhile: look again
                if last:
                    raise
        _sync(self._folder)

    def _sync(self, name: str) -> None:
        if name in self._done:
            return
        _sync(self._folder / name)
        if name.startswith("closed-"):
            self._done.add(name)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
