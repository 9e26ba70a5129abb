"""Office files are zip archives of XML: opened here with bounds, and without anything that reaches outside."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

from lxml import etree

from frostbyte.data_plane.parse.limits import ParseLimits, damaged, encrypted
from frostbyte.kernel.errors import StageFailed

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Office files with a password are wrapped in this older container."""
_SMALL: Final = 10_000_000
"""Bytes below which a high ratio is harmless: empty XML packs well."""
_PIECE: Final = 1 << 18
"""Bytes that are unpacked at a time."""
_DECLARED: Final = re.compile(rb"<(?:!|\x00!|\x00\x00\x00!)\x00*[DdEe]\x00*[OoNn]\x00*[CcTt]")
"""`<!DOCTYPE` or `<!ENTITY` in UTF-8, UTF-16 and UTF-32; XML knows no other way to bring in what it does not hold."""
_MARKUP: Final = (".xml", ".rels", ".vml")
_FAMILIES: Final = (
    "http://schemas.openxmlformats.org/",
    "http://purl.oclc.org/ooxml/",
    "http://schemas.microsoft.com/",
)
"""Whose relations Office follows. It passes over any other, so that to follow one would be to read what nobody sees."""


_OFFICE: Final = tuple("{" + family for family in (*_FAMILIES, "urn:schemas-microsoft-com:"))
_MICROSOFT: Final = ("{http://schemas.microsoft.com/", "{urn:schemas-microsoft-com:")
_MAIN: Final = re.compile(r"\{http://(?:schemas\.openxmlformats\.org|purl\.oclc\.org/ooxml|purl\.org/dc|www\.w3\.org)/")
_WORDS: Final = frozenset("t r p tbl tr tc del ins delText fldChar instrText row c is si AlternateContent".split())
"""Elements of the main namespaces which Microsoft's later ones do not have: whoever makes one up has none either."""


class Archive:
    """The members of an Office file."""

    def __init__(self, members: zipfile.ZipFile, what: str, limits: ParseLimits) -> None:
        self._zip = members
        self._what = what
        self._left = limits.max_unpacked
        self.names = frozenset(members.namelist())
        self._found = _by_name(members, what)

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            StageFailed: `damaged` if it is missing or broken, `archive_bomb` if it is longer than it may be.
        """
        return bytes(self.unpacked(name))

    def unpacked(self, name: str) -> bytearray:
        """The same of a large member: memory that is touched for the first time costs as much as to unpack into it."""
        try:
            with self._zip.open(name) as member:
                size = self._zip.getinfo(name).file_size
                if size > self._left:
                    raise _bomb()
                # Into its place piece by piece: as a whole it would be put together in a second one.
                data, at = bytearray(size), 0
                while piece := member.read(_PIECE):
                    data[at : at + len(piece)] = piece
                    at += len(piece)
        except (
            KeyError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
        ) as error:
            unknown = isinstance(error, NotImplementedError)  # a RuntimeError: the file is as sound as it ever was
            raise (_packed(self._what) if unknown else damaged(self._what)) from error
        if at < size:
            raise damaged(self._what)
        self._left -= size
        return data

    def xml(self, name: str) -> Any:
        """The root of a member parsed as XML.

        Raises:
            StageFailed: `damaged`; `unsafe_xml` for a document type or entities, which the format forbids.
        """
        return parsed(self.read(name), self._what)

    def named(self, name: str) -> str:
        """The member that a name means, or the name itself if there is none: names of parts that differ in case alone
        are one, and some programs write them with other strokes or in percent signs."""
        return self._found.get(_folded(name)) or self._found.get(_folded(unquote(name))) or name

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Relations of a part: id -> (last word of the type, name of the target member); outside ones left out."""
        folder, name = posixpath.split(part.replace("\\", "/"))
        path = self.named(posixpath.join(folder, "_rels", f"{name}.rels"))
        found: dict[str, tuple[str, str]] = {}
        if path not in self.names:
            return found
        for node in self.xml(path):
            if not isinstance(node.tag, str) or node.get("TargetMode") == "External":
                continue
            target = node.get("Target", "").replace("\\", "/")
            full = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            kind = node.get("Type", "")
            if kind.startswith(_FAMILIES):
                kind = kind.rsplit("/", 1)[-1]
            found[node.get("Id", "")] = (kind, self.named(full))
        return found

    def main_part(self, usual: str) -> str:
        """The member that holds the main document.

        Raises:
            StageFailed: `damaged` if there is none.
        """
        for kind, target in self.relations("").values():
            if kind == "officeDocument" and target in self.names:
                return target
        if (name := self.named(usual)) in self.names:
            return name
        raise damaged(self._what)


@contextmanager
def opened(source: BinaryIO, what: str, limits: ParseLimits) -> Iterator[Archive]:
    """The archive, once its directory has passed the bounds.

    Raises:
        StageFailed: `encrypted`, `damaged`, `archive_bomb`.
    """
    source.seek(0)
    if source.read(len(_OLE)) == _OLE:
        raise encrypted(what)
    source.seek(0)
    try:
        members = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        raise damaged(what) from error
    with members:
        check_entries(members, what, limits)
        yield Archive(members, what, limits)


def _folded(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _by_name(members: zipfile.ZipFile, what: str) -> dict[str, str]:
    """The members by their names as they are compared.

    Raises:
        StageFailed: `damaged`: two parts with one name, of which programs show one or the other.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in members.infolist():
        name = _folded(entry.filename)
        other = found.get(name)
        if (
            other is not None
            and name.endswith(_MARKUP)
            and (other.CRC, other.file_size) != (entry.CRC, entry.file_size)
        ):
            raise damaged(what)
        found[name] = entry
    return {name: entry.filename for name, entry in found.items()}


def check_entries(members: zipfile.ZipFile, what: str, limits: ParseLimits) -> None:
    """Refuse archives that unpack to too much.

    Raises:
        StageFailed: `archive_bomb`, or `encrypted` for members with a password.
    """
    entries = members.infolist()
    if len(entries) > limits.max_entries:
        raise _bomb()
    total = 0
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise encrypted(what)
        total += entry.file_size
        if entry.file_size > _SMALL and entry.file_size > limits.max_ratio * max(1, entry.compress_size):
            raise _bomb()
    if total > limits.max_unpacked:
        raise _bomb()


def check_xml(data: bytes | bytearray) -> None:
    """Refuse document types and entities.

    Raises:
        StageFailed: `unsafe_xml`.
    """
    if b"!" in data and _DECLARED.search(data):  # most parts hold none, and one character is found at once
        raise StageFailed(
            "unsafe_xml",
            "The file declares XML entities, which Office files never do.",
            "Open it in the program it came from, save it again and send it as a new file.",
        )


def parsed(data: bytes, what: str) -> Any:
    """The root of XML bytes.

    Raises:
        StageFailed: `damaged`, naming `what` it should have been; `unsafe_xml`.
    """
    check_xml(data)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise damaged(what) from error


@lru_cache(maxsize=4096)
def _without_namespace(tag: str) -> str:
    space, _, name = tag.rpartition("}")
    if not space or _MAIN.match(space):
        return name
    return name if space.startswith(_MICROSOFT) and name not in _WORDS else ""


def local(node: Any) -> str:
    """The tag without its namespace: transitional and strict files differ in nothing else. '' for elements of others,
    which Office passes over: a `t` of theirs is none."""
    tag = node.tag
    return _without_namespace(tag) if isinstance(tag, str) else ""


def attribute(node: Any, name: str) -> str | None:
    """The attribute of that local name, in any namespace of Office; in one of others where there is no such."""
    found, end = None, "}" + name
    for key, value in node.attrib.items():
        if key == name or key.endswith(end):
            if key == name or key.startswith(_OFFICE):
                return str(value)
            found = str(value) if found is None else found
    return found


def is_on(node: Any) -> bool:
    """Whether a toggle property is present and not switched off."""
    return node is not None and (attribute(node, "val") or "1") not in ("0", "false", "off")


def _packed(what: str) -> StageFailed:
    return StageFailed(
        "damaged",
        f"The file is not a readable {what}: it is packed by a method that is not known here, like Deflate64.",
        "Open it in the program it came from, save it again and send it as a new file.",
    )


def _bomb() -> StageFailed:
    return StageFailed(
        "archive_bomb",
        "The file unpacks to far more than its size: it is taken for an attack.",
        "Save it again in the program it came from; split it if it really is that large.",
    )
