"""What a picture's file holds besides the pixels: what it says of itself, and whether all that it lists is there."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from frostbyte.data_plane.parse.building import clean

_TAGS: Final = {
    269: "document_name",
    270: "description",
    285: "page_name",
    305: "software",
    315: "author",
    33432: "copyright",
    37510: "comment",
    40091: "title",
    40092: "comment",
    40093: "author",
    40094: "keywords",
    40095: "subject",
}
"""Texts of TIFF and Exif; those from 40091 on are UTF-16, as Windows writes them."""
_WINDOWS: Final = range(40091, 40096)
_EXIF: Final = 0x8769
_XMP: Final = 700
_WORDS: Final = frozenset("title author description copyright software disclaimer warning source comment".split())
"""Keywords that the PNG specification registers for texts; others are named in front of what they say."""
_PACKET: Final = "xml:com.adobe.xmp"
_STATED: Final = re.compile(r"<(dc:(title|description|creator|subject|rights))\b[^<>]*>")
"""What people write into the packet of XMP; all else in it is for programs."""
_MARKUP: Final = re.compile(r"<[^<>]*>")

_OFFSETS: Final = 273, 324
"""Tags for where the strips or tiles of a TIFF lie."""
_SUB: Final = 330


def add_metadata(known: dict[str, str], image: Any) -> None:
    """Add what the frame that was decoded last says of itself to what is known of the file.

    A name that says something else already gets a number. Broken metadata are passed over as far as they are broken.
    """
    for name, text in _texts(image):
        value = clean(text)
        if not value or value in (known[key] for key in known if key.rstrip("_0123456789") == name):
            continue
        key, number = name, 2
        while key in known:
            key, number = f"{name}_{number}", number + 1
        known[key] = value


def _texts(image: Any) -> Iterator[tuple[str, str]]:
    for keyword, text in sorted(getattr(image, "text", {}).items()):
        name = clean(keyword).lower()
        if name == _PACKET:
            yield from _packet(str(text))
        elif name in _WORDS:
            yield name, str(text)
        else:
            yield "text", f"{name}: {text}"
    tags = image.tag_v2 if image.format == "TIFF" else image.getexif()
    yield from _tagged(dict(tags))
    yield from _tagged(dict(image.getexif().get_ifd(_EXIF)))


def _tagged(tags: dict[int, Any]) -> Iterator[tuple[str, str]]:
    for tag, name in _TAGS.items():
        value = tags.get(tag)
        if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
            value = " ".join(value)
        if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
            value = bytes(part & 0xFF for part in value)
        if isinstance(value, bytes):
            wide = tag in _WINDOWS or value.startswith(b"UNICODE\0")
            value = value.removeprefix(b"UNICODE\0").removeprefix(b"ASCII\0\0\0")
            value = value.decode("utf-16-le" if wide else "utf-8", "replace")
        if isinstance(value, str):
            yield name, value
    packet = tags.get(_XMP)
    if isinstance(packet, bytes):
        yield from _packet(packet.decode("utf-8", "replace"))


def _packet(packet: str) -> Iterator[tuple[str, str]]:
    at, endless = 0, set[str]()
    while found := _STATED.search(packet, at):
        tag, name = found.groups()
        # An end that is not there is looked for once: packets of attackers begin without end.
        end = -1 if tag in endless else packet.find(f"</{tag}>", found.end())
        at = max(end, found.end())
        if end < 0:
            endless.add(tag)
            continue
        shown = {"creator": "author", "rights": "copyright"}.get(name, name)
        yield shown, unescape(_MARKUP.sub(" ", packet[found.end() : end]))


def check_directory(image: Any) -> None:
    """Return if all entries of the directory of a TIFF's frame are in the file.

    A file that was cut inside one would else be decoded by the directory before it: the same page twice.

    Raises:
        OSError: it was cut.
    """
    if image.format != "TIFF" or image.fp is None:
        return
    file, tags = image.fp, image.tag_v2
    file.seek(0)
    head = file.read(4)
    order = "<" if head[:2] == b"II" else ">"
    width, form, entry = (8, "Q", 20) if 43 in head[2:4] else (2, "H", 12)
    file.seek(tags.offset)
    (count,) = struct.unpack(f"{order}{form}", file.read(width))
    if tags.offset + width + count * entry > file.seek(0, 2):
        raise OSError("directory cut")


def missing_parts(image: Any) -> int:
    """How many strips or tiles of a TIFF's frame its directory does not name: what they showed is blank."""
    if image.format != "TIFF":
        return 0
    tags = image.tag_v2
    width, height = int(tags[256]), int(tags[257])
    planes = int(tags.get(277, 1)) if tags.get(284, 1) == 2 else 1
    if 322 in tags:
        wanted = -(-width // max(1, int(tags[322]))) * -(-height // max(1, int(tags[323])))
    else:
        wanted = -(-height // max(1, min(height, int(tags.get(278, height)))))
    named = tags.get(_OFFSETS[1]) or tags.get(_OFFSETS[0]) or ()
    return max(0, wanted * planes - len(named if isinstance(named, tuple) else (named,)))


def further_pictures(image: Any) -> int:
    """How many pictures hang below a TIFF's frame: smaller copies of it as a rule, which nobody reads."""
    if image.format != "TIFF":
        return 0
    below = image.tag_v2.get(_SUB, ())
    return len(below) if isinstance(below, tuple) else 1
