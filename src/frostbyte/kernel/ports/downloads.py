"""Files from elsewhere, by their address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Download:
    """What comes.

    Attributes:
        start: the first byte of the file that comes: what was asked for, or 0 where the server sends it from the start.
    """

    start: int
    chunks: Iterator[bytes]


class Downloads(Protocol):
    """Gets files."""

    def get(self, address: str, start: int) -> AbstractContextManager[Download]:
        """A file from its byte `start` on.

        Raises:
            Unavailable: `download_failed`, now or in the middle of it.
        """
        ...
