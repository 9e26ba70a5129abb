"""The archive of a plane: one file that holds everything of it and says at its end that it is whole.

It is a tar (POSIX.1-1988 ustar), so that any machine can list and unpack it. Beyond that it is strict: one way to
write each header, regular files only, no times and no owners. It is written and read from front to back, in constant
memory, through a pipe if need be:

    export.json        Head: whose it is, which schema, which state of the log
    ...                see docs/export-format.md; names are made here
    end.json           Tail: what was erased, missing or void by the time everything else was written
    SHA256SUMS         of every member before it, as `sha256sum` writes and checks them
    SEAL               a signed note over SHA256SUMS, by the log's key

The seal comes last. A file that ends before it is what an interruption left, whatever its name says.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from frostbyte.kernel.audit.checkpoint import open_note, public_key
from frostbyte.kernel.errors import Invalid

FORMAT: Final = "frostbyte-export/1"
HEAD: Final = "export.json"
SUMS: Final = "SHA256SUMS"
SEAL: Final = "SEAL"
BLOCK: Final = 512
"""Bytes of a header, and what members are padded to (POSIX.1-1988, section 10.1.1)."""
READ: Final = 1 << 20
"""Bytes read at once."""
MAX_JSON: Final = 64 << 20
"""Bytes of a member that is read whole at most: lists of ids, not content."""
_OCTAL: Final = 8**11
"""The first size that the header's eleven octal digits cannot say."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_SEALED: Final = re.compile(
    rf"{re.escape(FORMAT)}\nexport ([0-9a-f-]{{36}})\ntenant ([a-z0-9]{{1,32}})\nmembers ([0-9]+)\nbytes ([0-9]+)\n"
    r"sums sha256:([0-9a-f]{64})\n",
    re.ASCII,
)


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What a seal says.

    Attributes:
        members: before SHA256SUMS.
        size: bytes of their contents.
        sums: SHA-256 (hex) of SHA256SUMS.
        note: all of it, signed.
    """

    export_id: UUID
    tenant_id: str
    members: int
    size: int
    sums: str
    note: str

    @property
    def sha256(self) -> str:
        """Of the note (hex): what the audit calls the archive by."""
        return hashlib.sha256(self.note.encode()).hexdigest()


class Sink(Protocol):
    """Where an archive is written to."""

    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """Where an archive is read from; may give less than it is asked for, and nothing at its end."""

    def read(self, size: int, /) -> bytes: ...


def header(name: str, size: int) -> bytes:
    """A member's header.

    Args:
        name: of ASCII letters, digits, `._-` and `/`; at most 100 bytes, or more where a slash lets it be split.
        size: bytes of its content.

    Raises:
        Invalid: `archive_name`: no member can have this name.
    """
    if not _NAME.fullmatch(name):
        raise _bad_name()
    folder, last = "", name
    if len(name) > 100:
        cut = name.find("/", len(name) - 101)
        folder, last = name[:cut], name[cut + 1 :]
        if cut < 1 or len(folder) > 155:
            raise _bad_name()
    digits = b"%011o\0" % size if size < _OCTAL else (1 << 95 | size).to_bytes(12, "big")
    block = b"".join(
        (
            last.encode().ljust(100, b"\0"),
            b"0000600\x000000000\x000000000\x00",
            digits,
            b"00000000000\0",
            b"        0",
            bytes(100),
            b"ustar\x0000",
            bytes(64),
            b"0000000\x000000000\x00",
            folder.encode().ljust(155, b"\0"),
            bytes(12),
        )
    )
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])


def _read_header(block: bytes) -> tuple[str, int]:
    """Name and size. What is not written exactly as `header` writes it is refused."""
    try:
        last, folder = (block[start : start + length].rstrip(b"\0").decode("ascii") for start, length in _PLACES)
        digits = block[124:136]
        size = int.from_bytes(digits, "big") & ~(1 << 95) if digits[0] & 0x80 else int(digits[:11], 8)
        name = f"{folder}/{last}" if folder else last
        if header(name, size) != block:
            raise ValueError
    except (ValueError, OverflowError, Invalid):
        raise broken("it holds something that no export writes") from None
    return name, size


_PLACES: Final = ((0, 100), (345, 155))


class ArchiveWriter:
    """Writes an archive into a sink, which need not be a file.

    Args:
        sink: takes the bytes.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lines = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - lives as long as the writer
        self._sums = hashlib.sha256()
        self.members = 0
        """Written so far."""
        self.size = 0
        """Bytes of their contents."""

    def add(self, name: str, data: bytes) -> None:
        """Write a member that is at hand as a whole."""
        self.stream(name, len(data), (data,))

    def add_json(self, name: str, value: Any) -> None:
        """Write a value as indented JSON."""
        self.add(name, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")

    def stream(self, name: str, size: int, blocks: Iterable[bytes]) -> None:
        """Write a member as its bytes come.

        Raises:
            ValueError: they were not `size` bytes. The archive is of no use then: it cannot be sealed.
        """
        digest, left = hashlib.sha256(), size
        self._sink.write(header(name, size))
        for block in blocks:
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            self._sink.write(block)
        if left:
            self._lines.close()
            raise ValueError("a member is not as long as it was said to be")
        self._sink.write(bytes(-size % BLOCK))
        line = sum_line(digest.hexdigest(), name)
        self._lines.write(line)
        self._sums.update(line)
        self.members += 1
        self.size += size

    def seal(self, export_id: UUID, tenant_id: str, sign: Callable[[str], str]) -> Sealed:
        """End the archive: the sums, the seal, and the end of the tar.

        Args:
            sign: makes a signed note of a text (`Signer.note`).
        """
        members, size, sums = self.members, self.size, self._sums.hexdigest()
        length = self._lines.tell()
        self._lines.seek(0)
        self.stream(SUMS, length, iter(lambda: self._lines.read(READ), b""))
        note = sign(
            f"{FORMAT}\nexport {export_id}\ntenant {tenant_id}\nmembers {members}\nbytes {size}\nsums sha256:{sums}\n"
        )
        data = note.encode()
        self._sink.write(header(SEAL, len(data)) + data + bytes(-len(data) % BLOCK) + bytes(2 * BLOCK))
        self._lines.close()
        return Sealed(export_id=export_id, tenant_id=tenant_id, members=members, size=size, sums=sums, note=note)


def sum_line(sha256: str, name: str) -> bytes:
    """A line of SHA256SUMS."""
    return f"{sha256}  {name}\n".encode("ascii")


class Member:
    """One member, while the reader stands at it: read it by blocks, whole, or not at all."""

    def __init__(self, name: str, size: int, take: Callable[[int], bytes]) -> None:
        self.name = name
        self.size = size
        self._take = take
        self._left = size
        self._digest = hashlib.sha256()

    def blocks(self, length: int = READ) -> Iterator[bytes]:
        """What has not been read of it, in blocks. Raises Invalid("archive_broken")."""
        while self._left:
            block = self._take(min(length, self._left))
            self._left -= len(block)
            self._digest.update(block)
            yield block

    def whole(self, most: int = MAX_JSON) -> bytes:
        """All of it. Raises Invalid("archive_broken"), also where it is longer than `most` bytes."""
        if self.size > most:
            raise broken("one of its lists is too long")
        return b"".join(self.blocks())

    def finish(self) -> str:
        """Read what is left; the SHA-256 (hex) of all of it."""
        for _ in self.blocks():
            pass
        return self._digest.hexdigest()


class ArchiveReader:
    """Reads an archive from front to back, in constant memory.

        reader = ArchiveReader(file)
        for member in reader:
            ...
        sealed = reader.sealed(key)

    Nothing that was read may be relied upon before `sealed()` has returned: the seal comes last. A member that is not
    read by the caller is read and summed by the reader.

    Args:
        source: the archive's bytes.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sums = hashlib.sha256()
        self._members = 0
        self._size = 0
        self._found: Sealed | None = None

    def __iter__(self) -> Iterator[Member]:
        """The members before SHA256SUMS, in order.

        Raises:
            Invalid: `archive_broken`: this is no archive, or was changed; `archive_incomplete`: it ends too early.
        """
        while True:
            member = self._next()
            if member.name in (SUMS, SEAL):
                break
            yield member
            digest = member.finish()
            self._padding(member)
            line = sum_line(digest, member.name)
            self._sums.update(line)
            self._members += 1
            self._size += member.size
        self._end(member)

    def sealed(self, key: str | None = None) -> Sealed:
        """What the seal says, if it fits everything that was read.

        Args:
            key: the log's verifier key, received by another way than the archive; None checks no signature.

        Raises:
            Invalid: `archive_incomplete` before all was read; `archive_broken`; `note_signature_wrong`,
                `verifier_key_invalid`.
        """
        if self._found is None:
            raise incomplete()
        if key is not None:
            open_note(self._found.note, public_key(key))
        return self._found

    def _next(self) -> Member:
        block = self._take(BLOCK)
        if not block.strip(b"\0"):
            raise incomplete()
        name, size = _read_header(block)
        if not self._members and name != HEAD:
            raise broken("it does not begin as one")
        return Member(name, size, self._take)

    def _end(self, sums: Member) -> None:
        if sums.name != SUMS:
            raise broken("its seal stands in the wrong place")
        listed = sums.finish()
        self._padding(sums)
        seal = self._next()
        note = seal.whole(BLOCK * 8).decode("utf-8", "replace")
        self._padding(seal)
        said = _SEALED.match(note)
        if seal.name != SEAL or said is None:
            raise broken("its seal cannot be read")
        if self._take(2 * BLOCK).strip(b"\0") or self._source.read(1):
            raise broken("something follows its end")
        if listed != self._sums.hexdigest() or said.groups()[2:] != (str(self._members), str(self._size), listed):
            raise broken("what it holds is not what was sealed")
        self._found = Sealed(
            export_id=UUID(said[1]),
            tenant_id=said[2],
            members=self._members,
            size=self._size,
            sums=listed,
            note=note,
        )

    def _padding(self, member: Member) -> None:
        if self._take(-member.size % BLOCK).strip(b"\0"):
            raise broken("there is something between its members")

    def _take(self, length: int) -> bytes:
        """Exactly so many bytes. Raises Invalid("archive_incomplete")."""
        parts: list[bytes] = []
        while length:
            part = self._source.read(length)
            if not part:
                raise incomplete()
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def broken(why: str) -> Invalid:
    """The error for what is no archive, or one that was changed."""
    return Invalid(
        "archive_broken",
        f"This is no whole export of a plane: {why}.",
        "Take it from its disk anew, or export once more.",
    )


def incomplete() -> Invalid:
    """The error for an archive that ends before its seal."""
    return Invalid(
        "archive_incomplete",
        "The export ends before its seal: it was interrupted, or cut.",
        "Do not use it; export once more.",
    )


def _bad_name() -> Invalid:
    return Invalid("archive_name", "A member of an export was given a name that none can have.", "Report this.")
