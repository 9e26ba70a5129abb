"""What `docker save` writes, as entries. Every engine since 1.10 writes one of two shapes, and both are read alike:
layers in folders of their own (engines without containerd's store, up to 24), or blobs by their digest."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, Final

from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.engine import Entry

CHUNK: Final = 1 << 18
"""Bytes that are read at a time. What is larger is memory from the system each time, and costs a fault a page: reading
a pipe by mebibytes takes four times as long."""


def entries(stream: IO[bytes]) -> Iterator[Entry]:
    """The files of an archive, as it comes.

    Raises:
        Unavailable: `engine_broke_off`: it ends before its end.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield Entry(name=member.name, size=member.size, chunks=_chunks(file, member.size))
    except (tarfile.TarError, EOFError):
        raise broke_off() from None


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    left = size
    while left:
        try:
            chunk = file.read(min(CHUNK, left))
        except tarfile.TarError:
            chunk = b""
        if not chunk:
            raise broke_off()
        left -= len(chunk)
        yield chunk


def broke_off() -> Unavailable:
    """The error for an image that was not given to its end."""
    return Unavailable(
        "engine_broke_off",
        "The engine stopped in the middle of an image.",
        "Look at the engine's log and at the space on its disk, and do it again.",
    )
