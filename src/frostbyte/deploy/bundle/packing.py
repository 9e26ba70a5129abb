"""Packs layers: one reading of each, hashed, looked through and compressed on all processors at the same time.

A packed layer is gzip (RFC 1952): the only packing that `docker load` takes on every engine from 20.10 on. It is one
member whose blocks are compressed apart from each other, so that a single large layer keeps all processors busy, and
with the lowest level of ISA-L, which makes the same bytes on every x86-64 processor of the last fifteen years.
Measured on two cores (bench/offline/building.py): zlib's lowest level packs 58 MB/s a core, ISA-L's 280, to 2% more.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, cast

from isal import isal_zlib
from isal.igzip_lib import IsalError

from frostbyte.deploy.bundle.contents import Contents, Scanner
from frostbyte.kernel.errors import Invalid

BLOCK: Final = 1 << 20
"""Bytes that are compressed at a time. Part of the format: another number makes other bytes."""
LEVEL: Final = 1
_WINDOW: Final = 1 << 15
"""How far back deflate may refer (RFC 1951): the end of the block before primes each block."""
_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no name, no time, no system (RFC 1952, 2.3)."""
_END: Final = b"\x03\x00"
"""An empty last block."""
_AHEAD: Final = 4
"""Blocks that wait, for each processor: what bounds the memory."""
GZIP: Final = b"\x1f\x8b"
_UNREADABLE: Final = cast("type[Exception]", IsalError)  # its stubs name an instance
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A layer that was packed.

    Attributes:
        diff_id: `sha256:...` of what was read, uncompressed.
        size, packed: bytes, before and after.
        path: where it lies.
        contents: what was found in it.
    """

    diff_id: str
    size: int
    packed: int
    path: Path
    contents: Contents


class Packer:
    """Packs layers into a folder, several at a time. Use it in a `with`."""

    def __init__(self, folder: Path, processors: int = 0, seen: Callable[[int], None] = lambda _: None) -> None:
        """`seen` is told, from several threads, how many more bytes were read."""
        self._folder = folder
        self._processors = processors or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._processors, thread_name_prefix="pack")
        self._seen = seen
        self._lock = Lock()
        self._number = 0

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def pack(self, chunks: Iterable[bytes]) -> Packed:
        """Read a layer, packed by gzip or not, and pack it.

        Raises:
            Invalid: `bundle_layer`: it is packed in a way that cannot be read here.
        """
        with self._lock:
            self._number += 1
            part = self._folder / f"{self._number}.part"
        digest, scanner = hashlib.sha256(), Scanner()
        with part.open("wb") as file:
            size, packed = self._write(file, self._told(chunks), digest.update, scanner)
        diff_id = digest.hexdigest()
        path = part.with_name(f"{diff_id}.tar.gz")
        part.replace(path)
        return Packed(diff_id=f"sha256:{diff_id}", size=size, packed=packed, path=path, contents=scanner.contents())

    def _told(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in unpacked(chunks):
            self._seen(len(chunk))
            yield chunk

    def _write(
        self, file: BinaryIO, chunks: Iterator[bytes], hashed: Callable[[memoryview], None], scanner: Scanner
    ) -> tuple[int, int]:
        waiting: deque[tuple[Future[bytes], memoryview]] = deque()
        spare: list[memoryview] = []
        checksum, size, before = 0, 0, b""
        file.write(_HEAD)
        for block in _blocks(chunks, spare):
            waiting.append((self._pool.submit(_deflate, block, before), block))
            hashed(block)
            checksum = isal_zlib.crc32(block, checksum)
            scanner.feed(block)
            size, before = size + len(block), bytes(block[-_WINDOW:])
            while len(waiting) > _AHEAD * self._processors or (waiting and waiting[0][0].done()):
                packed, used = waiting.popleft()
                file.write(packed.result())
                spare.append(used)
        for packed, _ in waiting:
            file.write(packed.result())
        file.write(_END + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"))
        return size, file.tell()


def _deflate(block: memoryview, before: bytes) -> bytes:
    if before:
        packer = isal_zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0, before)
    else:
        packer = isal_zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return bytes(packer.compress(block)) + bytes(packer.flush(zlib.Z_SYNC_FLUSH))


def _blocks(chunks: Iterable[bytes], spare: list[memoryview]) -> Iterator[memoryview]:
    """The same bytes in blocks of BLOCK, but for the last.

    Args:
        spare: blocks that nobody needs any more; they are filled again. Memory that is asked for anew for each block
            costs a fault for each page of it, together as much as hashing.
    """
    block, filled = memoryview(bytearray(BLOCK)), 0
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            step = min(BLOCK - filled, len(chunk) - at)
            block[filled : filled + step] = chunk[at : at + step] if step < len(chunk) else chunk
            at, filled = at + step, filled + step
            if filled == BLOCK:
                yield block
                block, filled = spare.pop() if spare else memoryview(bytearray(BLOCK)), 0
    if filled:
        yield block[:filled]


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A layer's bytes as they are uncompressed.

    Raises:
        Invalid: `bundle_layer`.
    """
    reading = iter(chunks)
    first = b""
    while len(first) < len(_ZSTD) and (chunk := next(reading, None)) is not None:
        first += chunk
    if first.startswith(_ZSTD):
        raise Invalid(
            "bundle_layer",
            "A layer of an image is packed with zstd, which engines before 23 do not load.",
            "Pull the image into Docker's classic store, or build it with gzip layers.",
        )
    if not first.startswith(GZIP):
        if first:
            yield first
        yield from reading
        return
    opener = isal_zlib.decompressobj(31)
    try:
        for chunk in chain((first,), reading):
            rest = chunk
            while rest:
                if opener.eof:  # another member follows
                    opener = isal_zlib.decompressobj(31)
                yield opener.decompress(rest)
                rest = opener.unused_data
        whole = opener.eof
    except _UNREADABLE:
        whole = False
    if not whole:
        raise Invalid("bundle_layer", "A layer of an image cannot be unpacked.", "Pull the image anew.")
