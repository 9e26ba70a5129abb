"""Files on their way: which ones, in what batches, and as a multipart body that is never whole in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit

BLOCK: Final = 1 << 18
"""Bytes read at a time."""

DEFAULT_BATCH: Final = 1000
"""Files in a batch where the plane does not say (DESIGN: max_batch_size)."""

BATCH_BYTES: Final = 4 << 30
"""Bytes after which a batch is closed early: a connection that breaks should not cost a day of sending."""


@dataclass(frozen=True)
class Source:
    """One file to send."""

    path: Path
    file_id: str
    """The sender's id of it in this batch: its 1-based number."""
    size: int
    """Bytes."""
    sha256: str = ""

    @property
    def name(self) -> bytes:
        """Its name as the file system has it, which need not be UTF-8."""
        return os.fsencode(self.path.name)


def collect(paths: Sequence[Path]) -> list[Path]:
    """The files that `paths` name: folders recursively, in a stable order, each file once, hidden ones left out.

    Raises:
        CommandFailed: `path_missing` or `nothing_to_send`.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(names):
                    file = Path(folder, name)
                    if not name.startswith(".") and file.is_file():
                        found.setdefault(file.resolve(), file)
        elif path.is_file():
            found.setdefault(path.resolve(), path)
        else:
            raise CommandFailed(
                "path_missing",
                f"{path} is not there, or is no file and no folder.",
                "Check the path.",
                exit_code=Exit.NOT_FOUND,
            )
    if not found:
        raise CommandFailed("nothing_to_send", "The folders hold no files.", "Name files, or folders with files.")
    return list(found.values())


def describe(paths: Sequence[Path], *, digests: bool, progress: Callable[[int], None]) -> list[Source]:
    """Measure files, and hash them where `digests` is set, so that damage on the way is noticed.

    Args:
        paths: the files.
        digests: whether to read them all now.
        progress: told the bytes read.
    """
    sources = []
    for number, path in enumerate(paths, 1):
        size, digest = path.stat().st_size, ""
        if digests:
            digest = _digest(path, progress)
        sources.append(Source(path, str(number), size, digest))
    return sources


def _digest(path: Path, progress: Callable[[int], None]) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
            progress(len(block))
    return hashed.hexdigest()


def batches(sources: Sequence[Source], most: int) -> list[list[Source]]:
    """Cut into batches of at most `most` files and about `BATCH_BYTES` bytes."""
    cut: list[list[Source]] = [[]]
    room = BATCH_BYTES
    for source in sources:
        if cut[-1] and (len(cut[-1]) >= most or source.size > room):
            cut.append([])
            room = BATCH_BYTES
        cut[-1].append(source)
        room -= source.size
    return cut


def manifest(sources: Sequence[Source]) -> bytes:
    """The batch's manifest. Times are not in it, so the same files always give the same bytes."""
    entries: list[dict[str, Any]] = [
        {
            "file_id": source.file_id,
            # As the plane reads a name that is not UTF-8, so that both sides match.
            "filename": source.name.decode("utf-8", "replace"),
            "size_bytes": source.size,
        }
        | ({"sha256": source.sha256} if source.sha256 else {})
        for source in sources
    ]
    return json.dumps({"files": entries}, separators=(",", ":")).encode()


def idempotency_key(described: bytes, *, again: bool, known: bool) -> str:
    """A key that is the same whenever the same batch is sent, so that a broken sending can be repeated.

    Args:
        described: the manifest.
        again: make a new batch in any case.
        known: the manifest has digests. Without them two different files could look the same, so the key is random.
    """
    return uuid4().hex if again or not known else hashlib.sha256(described).hexdigest()


@dataclass
class Body:
    """A multipart/form-data body (RFC 7578), made while it is sent."""

    sources: Sequence[Source]
    described: bytes
    progress: Callable[[int], None] = lambda sent: None
    boundary: str = field(default_factory=lambda: f"frostbyte-{uuid4().hex}")

    @property
    def content_type(self) -> str:
        """The header's value."""
        return f"multipart/form-data; boundary={self.boundary}"

    def length(self) -> int:
        """Bytes of the whole body."""
        heads = sum(len(self._file_head(source)) + source.size + 2 for source in self.sources)
        return len(self._manifest_part()) + heads + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """The body's blocks.

        Raises:
            CommandFailed: `file_changed`: a file is not as long as it was.
        """
        yield self._manifest_part()
        for source in self.sources:
            yield self._file_head(source)
            yield from self._content(source)
            yield b"\r\n"
        yield self._end()

    def _content(self, source: Source) -> Iterable[bytes]:
        left = source.size
        with source.path.open("rb") as file:
            while left and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block
                self.progress(len(block))
            if left or file.read(1):
                raise CommandFailed(
                    "file_changed",
                    f"{source.path} changed while it was sent.",
                    "Send it again when nobody writes to it.",
                    exit_code=Exit.PROBLEMS,
                )

    def _manifest_part(self) -> bytes:
        head = 'Content-Disposition: form-data; name="manifest"\r\nContent-Type: application/json\r\n\r\n'
        return f"--{self.boundary}\r\n{head}".encode() + self.described + b"\r\n"

    def _file_head(self, source: Source) -> bytes:
        # Quotes and line ends are escaped as browsers do (WHATWG HTML, multipart/form-data encoding).
        name = source.name.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
        start = f'--{self.boundary}\r\nContent-Disposition: form-data; name="files"; filename="'.encode()
        return start + name + b'"\r\nContent-Type: application/octet-stream\r\n\r\n'

    def _end(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()
