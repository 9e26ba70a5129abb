"""Watches a zip container stream by, because clamd does not say that it looked at a part of an entry only.

Tried with clamd 1.4.6 and AlertExceedsMax on: of an entry that unpacks past MaxFileSize it scans the beginning and
answers OK. So the sizes that the container's directory states (APPNOTE 4.3.12) are held against the limits here. Sizes
that lie do not matter: our parsers read no more of an entry than its stated size.
"""

from __future__ import annotations

import struct
from typing import Final

_TAIL: Final = 4 * 1024 * 1024  # bytes kept; 50,000 entries of an Office file's usual length
_ENTRY: Final = b"PK\x01\x02"
_END: Final = b"PK\x05\x06"
_UNKNOWN: Final = 0xFFFFFFFF  # the size stands in a zip64 field: more than 4 GiB, or a writer that always does so


class ZipWatch:
    """Keeps the beginning and the end of a stream."""

    def __init__(self) -> None:
        self._zip: bool | None = None
        self._head = b""
        self._tail = bytearray()
        self.size = 0
        """Bytes that went by."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        if self._zip is None:
            self._head += data[:4]
            if len(self._head) >= 4:
                self._zip = self._head.startswith(b"PK\x03\x04")
        if self._zip is not False:
            self._tail += data
            if len(self._tail) > 2 * _TAIL:
                del self._tail[:-_TAIL]

    def exceeds(self, max_file: int, max_scan: int) -> bool:
        """Whether an entry unpacks to `max_file` bytes or more, all to `max_scan` or more, or nobody can tell."""
        if not self._zip:
            return False
        sizes = self._sizes()
        return sizes is None or max(sizes, default=0) >= max_file or sum(sizes) >= max_scan

    def _sizes(self) -> list[int] | None:
        """Unpacked sizes by the directory; None if it does not lie in what was kept."""
        end = self._tail.rfind(_END)
        if end < 0 or len(self._tail) < end + 22:
            return None
        length = struct.unpack_from("<I", self._tail, end + 12)[0]
        at = self._tail.find(_ENTRY, max(0, end - length - 76)) if length != _UNKNOWN else self._tail.find(_ENTRY)
        sizes: list[int] = []
        while 0 <= at <= end - 46 and self._tail[at : at + 4] == _ENTRY:
            size, name, extra, comment = struct.unpack_from("<IHHH", self._tail, at + 24)
            sizes.append(_zip64_size(bytes(self._tail[at + 46 + name :][:extra])) if size == _UNKNOWN else size)
            at += 46 + name + extra + comment
        entries = struct.unpack_from("<H", self._tail, end + 10)[0]
        return sizes if len(sizes) & 0xFFFF == entries or entries == 0xFFFF else None


def _zip64_size(extra: bytes) -> int:
    """The unpacked size in the zip64 field (APPNOTE 4.5.3), or what counts as too large."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1 and length >= 8 and at + 12 <= len(extra):
            return int(struct.unpack_from("<Q", extra, at + 4)[0])
        at += 4 + length
    return _UNKNOWN
