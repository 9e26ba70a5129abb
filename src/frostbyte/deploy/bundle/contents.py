"""What is in a layer: packages for the bill of materials, and files that must not travel. Read as the bytes go by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_RECORD: Final = 512
_MOST: Final = 16 << 20
"""Bytes of a file that is kept; a package database of a whole distribution is smaller."""
_LONG: Final = 1 << 16
"""Bytes of a name."""
_WANTED: Final = re.compile(
    r"var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|(?:usr/)?lib/apk/db/installed"
    r"|(?:.*/)?[^/]+\.dist-info/METADATA|usr/share/doc/[^/]+/copyright"
)
_SECRET: Final = re.compile(
    r"run/secrets/.+|(?:.*/)?\.ssh/(?:id_[a-z0-9]+|.*\.key)|(?:.*/)?\.netrc|(?:.*/)?\.pypirc|(?:.*/)?\.git-credentials"
    r"|(?:.*/)?\.docker/config\.json|(?:.*/)?\.aws/credentials|(?:.*/)?pip\.conf|(?:.*/)?id_(?:rsa|ed25519|ecdsa)"
)
"""Files that hold credentials by their name. Certificates of examples in packages are not looked for."""
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(kw_only=True)
class Contents:
    """What was found in one layer.

    Attributes:
        files: path: bytes, of package databases and what packages say of themselves.
        removed: paths of lower layers that are gone; one that ends in `/` stands for all below it.
        secrets: paths of files that hold credentials.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


def laid_over(layers: list[Contents]) -> dict[str, bytes]:
    """The files that an image shows, lowest layer first."""
    shown: dict[str, bytes] = {}
    for layer in layers:
        for gone in layer.removed:
            below = gone if gone.endswith("/") else gone + "/"
            shown = {path: data for path, data in shown.items() if path != gone and not path.startswith(below)}
        shown |= layer.files
    return shown


class Scanner:
    """Reads a tar archive (ustar with the long names of GNU and pax) in whatever pieces it comes.

    What is no archive is passed over: it has no packages, and whether a layer is one is the engine's to say.
    """

    def __init__(self) -> None:
        self._found = Contents()
        self._held = bytearray()
        """A part of a header, or of a file that is kept."""
        self._keep = 0
        """Bytes that are still to be held; 0 while what goes by is skipped."""
        self._skip = 0
        self._done: str = ""
        """What is held, when it is whole: a path, or the kind of a long name."""
        self._name = ""
        """The name that the next header has; '' for its own."""
        self._lost = False

    def contents(self) -> Contents:
        """What was found so far."""
        return self._found

    def feed(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        at, end = 0, len(data)
        while at < end and not self._lost:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
                continue
            wanted = (self._keep or _RECORD) - len(self._held)
            self._held += data[at : at + wanted]
            at += min(wanted, end - at)
            if len(self._held) == (self._keep or _RECORD):
                whole = bytes(self._held)
                self._held.clear()
                self._take(whole) if self._keep else self._header(whole)

    def _take(self, whole: bytes) -> None:
        size, self._keep = self._keep, 0
        self._skip = -size % _RECORD
        if self._done == "L":
            self._name = _text(whole)
        elif self._done == "x":
            self._name = _pax_path(whole) or self._name
        else:
            self._found.files[self._done] = whole

    def _header(self, header: bytes) -> None:
        if header == bytes(_RECORD):
            return
        size = _number(header[124:136])
        if size is None or _sum(header) != _number(header[148:156]):
            self._lost = True
            return
        kind = header[156:157]
        if kind in b"Lx" and size <= _LONG:
            self._keep, self._done = size, kind.decode()
            return
        name = (self._name or _own_name(header)).removeprefix("./").lstrip("/")
        regular = kind in (b"0", b"\x00")
        if kind not in b"gxLK":
            self._name = ""
        self._skip = (size + _RECORD - 1) // _RECORD * _RECORD if regular or kind in b"gxLK" else 0
        self._see(name, size, regular=regular)

    def _see(self, name: str, size: int, *, regular: bool) -> None:
        folder, _, last = name.rpartition("/")
        if last == _OPAQUE:
            self._found.removed.append(folder + "/")
        elif last.startswith(_WHITEOUT):
            self._found.removed.append(f"{folder}/{last[len(_WHITEOUT) :]}".lstrip("/"))
        elif regular and 0 < size <= _MOST and _WANTED.fullmatch(name):
            self._keep, self._done, self._skip = size, name, 0
        elif regular and size and _SECRET.fullmatch(name):
            self._found.secrets.append(name)


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _own_name(header: bytes) -> str:
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(header[:100])}" if prefix else _text(header[:100])


def _number(data: bytes) -> int | None:
    """An octal number, or GNU's binary one. None for neither."""
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    text = data.strip(b"\0 ")
    try:
        return int(text or b"0", 8)
    except ValueError:
        return None


def _sum(header: bytes) -> int:
    return sum(header) - sum(header[148:156]) + 8 * 0x20


def _pax_path(data: bytes) -> str:
    """The path that a pax header names: records of `LENGTH KEY=VALUE` and a newline."""
    found = ""
    while data:
        length, _, rest = data.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(data):
            return found
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        if key == b"path":
            found = value.decode("utf-8", "replace")
        data = data[int(length) :]
    return found
