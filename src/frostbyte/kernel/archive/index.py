"""An archive on a disk, opened for reading here and there: read through once, then member by member by name.

The first reading checks everything up to the seal. Whatever is read afterwards is compared with the sum that it had
then, because a file may change under its reader.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from frostbyte.kernel.archive.contents import DATABASE, TAIL, Head, Tail, read_head, read_tail
from frostbyte.kernel.archive.file import HEAD, READ, ArchiveReader, Sealed, broken

Progress = Callable[[int, int], None]
"""Told bytes read, and of how many."""


class _Place(msgspec.Struct, frozen=True, gc=False):
    """Where a member's content lies."""

    start: int
    size: int
    sha256: bytes


class _Counted:
    """The file, with how far it was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.at = 0

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self.at += len(data)
        return data


class Archive:
    """A whole archive.

    Args:
        path: of the file.
        key: the log's verifier key, received by another way; None believes the archive's own.
        progress: told of the first reading.

    Raises:
        Invalid: `archive_broken`, `archive_incomplete`, `archive_format`, `note_signature_wrong`,
            `verifier_key_invalid`.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, key: str | None, progress: Progress = lambda done, total: None) -> None:
        self._file = path.open("rb")
        try:
            self.head, self.tail, self._places, self.sealed = _read_through(self._file, key, progress)
        except BaseException:
            self._file.close()
            raise

    def names(self, folder: str) -> list[str]:
        """Names of the members in a folder, in the order of the archive."""
        return [name for name in self._places if name.startswith(f"{folder}/")]

    def size(self, name: str) -> int:
        """Bytes of a member. Raises KeyError."""
        return self._places[name].size

    def blocks(self, name: str) -> Iterator[bytes]:
        """A member's content; several threads may read at once.

        Raises:
            Invalid: `archive_broken`: there is no such member, or the file was changed since it was opened.
        """
        place = self._places.get(name)
        if place is None:
            raise broken("something that it names is not in it")
        digest, at = hashlib.sha256(), 0
        while at < place.size:
            block = os.pread(self._file.fileno(), min(READ, place.size - at), place.start + at)
            if not block:
                break
            digest.update(block)
            at += len(block)
            if at == place.size and digest.digest() != place.sha256:
                break
            yield block
        if digest.digest() != place.sha256:
            raise broken("it was changed while it was read")

    def whole(self, name: str) -> bytes:
        """All of a member. Raises as `blocks`."""
        return b"".join(self.blocks(name))

    def rows(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The parts of the database's tables, in order: the table's name, and its rows as COPY wrote them."""
        for name in self.names(DATABASE):
            yield name.removeprefix(f"{DATABASE}/").partition(".")[0], self.blocks(name)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_Found = tuple[Head, Tail, Mapping[str, _Place], Sealed]
_TELL: Final = 256 << 20


def _read_through(file: BinaryIO, key: str | None, progress: Progress) -> _Found:
    total = os.fstat(file.fileno()).st_size
    source, places, head, tail = _Counted(file), dict[str, _Place](), None, None
    told = 0
    reader = ArchiveReader(source)
    for member in reader:
        start = source.at
        if member.name == HEAD:
            head = read_head(member)
        elif member.name == TAIL:
            tail = read_tail(member)
        places[member.name] = _Place(start, member.size, bytes.fromhex(member.finish()))
        if source.at - told >= _TELL:
            told = source.at
            progress(told, total)
    if head is None or tail is None:
        raise broken("it does not say what it is")
    sealed = reader.sealed(key or head.public_key)
    if (sealed.export_id, sealed.tenant_id) != (head.export_id, head.tenant_id):
        raise broken("its head and its seal are of different exports")
    progress(total, total)
    return head, tail, places, sealed
