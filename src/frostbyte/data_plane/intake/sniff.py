"""What a file is, by its content alone: its name and what the sender says of it decide nothing.

It is asked twice. `Sniffer` looks at the bytes as they flow, so that an upload of the wrong type stops early.
`look_closer` opens the stored object where the answer lies elsewhere in the file: zip containers are told apart by
their `[Content_Types].xml` (ECMA-376 part 2), old Office containers by their directory ([MS-CFB]).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from typing import BinaryIO, Final

import msgspec

from frostbyte.kernel.formats import FORMATS, REGISTERED

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TXT: Final = "text/plain"
CSV: Final = "text/csv"
PNG: Final = "image/png"
TIFF: Final = "image/tiff"

HEAD: Final = 8192
"""Bytes from the beginning that the first look needs."""

_PDF_WITHIN: Final = 1024  # bytes before the header that readers tolerate (Adobe's implementation note 13)
_ACCEPTED: Final = ", ".join(sorted(FORMATS.values()))
_REMEDY: Final = f"Accepted are {_ACCEPTED}. Convert the file to one of them and send it again."

_ZIP: Final = b"PK\x03\x04"
_CFB: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAGIC: Final = {magic: entry.mime for entry in REGISTERED for magic in entry.magic}
_OTHER_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<\?xml|<svg|\{\\rtf|%!ps)", re.IGNORECASE)
_PDF_HEADER: Final = re.compile(rb"%PDF-\d")
_PDF_OBJECT: Final = re.compile(rb"\d+\s+\d+\s+obj\b")

_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED: Final = re.compile(r'"?sep=(?P<sign>[^\r\n])"?[ \t;,]*(?:\r\n|\r|\n)', re.IGNORECASE)
_DRAWN: Final = re.compile(
    r"^[ \t]*+(?:\|[ \t]*+:?-{2,}:?[ \t]*+(?:\|[ \t]*+:?-{2,}:?[ \t]*+)*\|?|\+(?:[-=]{2,}\+)+)[ \t]*$", re.MULTILINE
)
"""The line below the header of a table in Markdown, or between the rows of one that is drawn."""
_DECIMAL: Final = re.compile(r"[^\d.,\s][^,]*\d,\d\d?(?!\d)|\d\d:\d\d:\d\d,\d\d\d(?!\d)")
_REMARKS: Final = 40
"""Rows above a table that are none of it."""
_BELOW, _TITLE = 5, 4
_TEXT_BYTES: Final = bytes(b for b in range(256) if b >= 0x20 and b != 0x7F) + b"\t\n\v\f\r\x1b\x1a"
_CONTROLS_PER: Final = 200  # text may hold one control character in so many bytes; random bytes hold about 20

_DIRECTORY_MAX: Final = 16 * 1024 * 1024  # bytes of a zip's directory that we are willing to read
_TYPES_MAX: Final = 1024 * 1024  # bytes of [Content_Types].xml
_MAIN_PARTS: Final = {entry.main_part: entry.mime for entry in REGISTERED if entry.main_part}
_CONTENT_TYPE: Final = re.compile(rb"""ContentType\s*=\s*["']([^"']{1,200})["']""")


class Refusal(msgspec.Struct, frozen=True):
    """Why a file is not taken."""

    code: str
    message: str
    remedy: str


EMPTY: Final = Refusal("empty_file", "The file holds no bytes.", "Check the original and send it again.")
UNSUPPORTED: Final = Refusal("unsupported_type", "The file's content is of a type that is not accepted.", _REMEDY)
LEGACY: Final = Refusal(
    "unsupported_type",
    "The file is of an old Office format (before 2007), which is not accepted.",
    f"Open it and save it as DOCX or XLSX. {_REMEDY}",
)
MACROS: Final = Refusal(
    "unsupported_type", "The file is an Office file with macros, or a template.", f"Save it as DOCX or XLSX. {_REMEDY}"
)
ENCRYPTED: Final = Refusal(
    "encrypted", "The file is protected by a password.", "Remove the password and send the file again."
)
DAMAGED: Final = Refusal(
    "damaged_file",
    "The file begins like an Office file, but its directory is missing or damaged: perhaps it was cut.",
    "Check that the original opens, and send it again.",
)


class Sniffer:
    """Looks at a file as it flows by.

    Feed it all bytes in order. `refusal` is set as soon as the file can no longer be accepted. After `finish`,
    `mime` is the type, or '' where `look_closer` has to say it.
    """

    def __init__(self) -> None:
        self.mime = ""
        self.refusal: Refusal | None = None
        self._head = bytearray()
        self._decided = False
        self._text = False
        self._wide = False
        self._seen = 0
        self._controls = 0

    @property
    def head(self) -> bytes:
        """The first `HEAD` bytes, or all of a shorter file."""
        return bytes(self._head)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._seen += len(data)
        if not self._decided:
            self._head += data[: HEAD - len(self._head)]
            if len(self._head) >= HEAD:
                self._decide(whole=False)
        if not self._decided or (self._text and not self._wide):
            self._count(data)

    def finish(self) -> None:
        """All bytes were fed."""
        if not self._seen:
            self.refusal = EMPTY
        elif not self._decided:
            self._decide(whole=True)
        if self._text and self._too_many():
            self.refusal = UNSUPPORTED

    def _count(self, data: bytes) -> None:
        self._controls += len(data.translate(None, _TEXT_BYTES))

    def _too_many(self) -> bool:
        return self._controls * _CONTROLS_PER > self._seen and self._controls > 0

    def _decide(self, *, whole: bool) -> None:
        self._decided = True
        head = bytes(self._head)
        for magic, mime in _MAGIC.items():
            if head.startswith(magic):
                self.mime = mime
                return
        if head.startswith((_ZIP, _CFB)):
            return
        if _is_pdf(head):
            self.mime = PDF
            return
        kind = text_kind(head, whole=whole)
        if kind is None:
            self.refusal = UNSUPPORTED
            return
        self.mime = kind
        self._text = True
        self._wide = any(head.startswith(bom) for bom, name in _BOMS if name != "utf-8")
        if self._wide:
            self._controls = 0


def _is_pdf(head: bytes) -> bool:
    """A header in the first kilobyte; where something stands before it, an object must follow.

    Otherwise a text that merely speaks of the header would be one.
    """
    found = _PDF_HEADER.search(head, 0, _PDF_WITHIN)
    if found is None:
        return False
    return not head[: found.start()].strip(b"\xef\xbb\xbf \t\r\n\x00") or bool(_PDF_OBJECT.search(head, found.end()))


def text_kind(head: bytes, *, whole: bool) -> str | None:
    """The kind of text if the head reads as one, else None: a registered kind, `text/csv` or `text/plain`.

    Args:
        head: the first bytes of the file.
        whole: whether these are all of them.
    """
    if _OTHER_TEXT.match(head):
        return None
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "")
    if encoding:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head, final=whole)
        except UnicodeDecodeError:
            return None
        controls = sum(ch < " " and ch not in "\t\n\v\f\r\x1a\x1b" for ch in text)
    else:
        text = head.decode("utf-8", "replace") if _is_utf8(head, whole=whole) else head.decode("cp1252", "replace")
        controls = len(head.translate(None, _TEXT_BYTES))
    if controls * _CONTROLS_PER > len(head):
        return None
    text = text.removeprefix("\ufeff")
    for entry in REGISTERED:
        if entry.text is not None and entry.text.match(text):
            return entry.mime
    return CSV if is_table(text, whole=whole) else TXT


def _is_utf8(head: bytes, *, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def is_table(text: str, *, whole: bool) -> bool:
    """Whether a text has the shape of separated values.

    Sniffing libraries call prose a table because of its commas; here rows must agree in their number of cells, and
    the cells must be too short for sentences. Above the rows may stand a title, remarks or the line by which Excel is
    told the separator, and a remark below them. A table that is drawn with strokes is a text's.
    """
    if (declared := _DECLARED.match(text)) is not None:
        rest = text[declared.end() :]
        return any(len(row) > 1 for row in _rows(rest, declared["sign"], whole=whole))
    if _DRAWN.search(text):
        return False
    return any(_fits(text, delimiter, whole=whole) for delimiter in ";\t,|")


def _rows(text: str, delimiter: str, *, whole: bool, plain: bool = False) -> list[list[str]]:
    """The rows that are not blank; none where the text is none of separated values."""
    blank = bool(re.search(f'{re.escape(delimiter)} +"', text))
    try:
        lines = io.StringIO(text, newline="")
        quoting: Final = csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL
        rows = list(csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=blank))
    except csv.Error:
        return []
    if not whole:
        rows = rows[:-1]  # it may be cut
    return [row for row in rows if any(cell.strip() for cell in row)]


def _fits(text: str, delimiter: str, *, whole: bool) -> bool:
    if delimiter not in text:
        return False
    rows = _rows(text, delimiter, whole=whole)
    if len(rows) < 3 and '"' in text:
        # A quote without an end may have swallowed the others.
        rows = max(rows, _rows(text, delimiter, whole=whole, plain=True), key=len)
    columns = _agreed(rows) or _agreed_within(rows, delimiter)
    if not columns:
        return False
    rows = [row for row in rows if len(row) == columns]
    cells = [cell.strip() for row in rows for cell in row]
    filled = [cell for cell in cells if cell]
    words = sum(len(cell.split()) for cell in filled) / len(filled)
    if columns == 2 and not any(row[1].strip() for row in rows):
        return False  # "Dear Sir," and "Yours,": each line merely ends in a comma
    if (
        columns == 2
        and delimiter == ","
        and sum(bool(_DECIMAL.search(",".join(row))) for row in rows) * 5 > len(rows) * 4
    ):
        return False  # "Rent 1.200,50" and "12:00:07,123 started": the comma is a number's
    spaced = sum(cell.startswith(" ") for row in rows for cell in row[1:]) * 2 > len(rows) * (columns - 1)
    if delimiter == "," and spaced:
        return columns >= 3 and words <= 2  # a comma and a space: a list at best, most often a sentence
    return words <= 8


def _agreed(rows: list[list[str]]) -> int:
    """How many cells nearly all rows have, at least two; 0 where they do not agree."""
    if len(rows) < 2:
        return 0
    columns, agreeing = Counter(map(len, rows)).most_common(1)[0]
    return columns if columns >= 2 and agreeing >= len(rows) - len(rows) // 20 else 0


def _agreed_within(rows: list[list[str]], delimiter: str) -> int:
    """The same for rows between remarks, at least three.

    Of three columns and more, one row in five may be shorter or longer, `_REMARKS` rows of fewer cells may stand above
    and a few below; two columns must agree throughout below a short title.
    """
    widths = [len(row) for row in rows]
    wide = Counter(width for width in widths if width > 2)
    columns = (max(wide) if delimiter == "," else max(wide.items(), key=_by_count)[0]) if wide else 2
    if widths.count(columns) < 3:
        return 0
    first = widths.index(columns)
    last = len(widths) - 1 - widths[::-1].index(columns)
    above, below = (_REMARKS, _BELOW) if wide else (_TITLE, 0)
    if first > above or len(widths) - 1 - last > below or max(widths[:first], default=0) >= columns:
        return 0
    between = widths[first : last + 1]
    return columns if between.count(columns) >= (0.8 if wide else 1) * len(between) else 0


def _by_count(item: tuple[int, int]) -> tuple[int, int]:
    return item[1], item[0]


def look_closer(file: BinaryIO, size: int) -> str | Refusal:
    """The type of a container, or why it is refused.

    Reads the zip's directory and one bounded part, whatever the archive claims about its sizes.

    Args:
        file: the whole file, seekable.
        size: its bytes.
    """
    file.seek(0)
    if file.read(len(_CFB)) == _CFB:
        return ENCRYPTED if _holds_encrypted_package(file) else LEGACY
    try:
        if _directory_size(file, size) > _DIRECTORY_MAX:
            return DAMAGED
        with zipfile.ZipFile(file) as archive:
            return _ooxml_type(archive)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError, EOFError):
        # zipfile raises all of these for damaged archives; RuntimeError and NotImplementedError also for methods
        # that no Office file uses.
        return DAMAGED


def _ooxml_type(archive: zipfile.ZipFile) -> str | Refusal:
    try:
        info = archive.getinfo("[Content_Types].xml")
    except KeyError:
        return UNSUPPORTED
    if info.flag_bits & 0x1:
        return ENCRYPTED
    with archive.open(info) as part:
        types = part.read(_TYPES_MAX + 1)
    if len(types) > _TYPES_MAX:
        return DAMAGED
    if types.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        types = types.decode("utf-16", "replace").encode()
    declared = set(_CONTENT_TYPE.findall(types))
    found = {mime for name, mime in _MAIN_PARTS.items() if name in declared}
    if len(found) == 1:
        return found.pop()
    office = any(b"macroEnabled" in name or b".template.main" in name for name in declared)
    return MACROS if office else UNSUPPORTED


def _directory_size(file: BinaryIO, size: int) -> int:
    """Bytes of the zip's central directory as its end record says (APPNOTE 4.3.16, zip64 4.3.14)."""
    tail_start = max(0, size - 65_535 - 22)
    file.seek(tail_start)
    tail = file.read(65_535 + 22)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise zipfile.BadZipFile
    length = int(struct.unpack_from("<I", tail, at + 12)[0])
    if length != 0xFFFFFFFF:
        return length
    if tail[at - 20 : at - 16] != b"PK\x06\x07":
        raise zipfile.BadZipFile
    file.seek(struct.unpack_from("<Q", tail, at - 20 + 8)[0])
    record = file.read(56)
    if not record.startswith(b"PK\x06\x06"):
        raise zipfile.BadZipFile
    return int(struct.unpack_from("<Q", record, 40)[0])


def _holds_encrypted_package(file: BinaryIO) -> bool:
    """Whether the container's directory names the stream that holds an encrypted Office file ([MS-OFFCRYPTO] 2.3)."""
    file.seek(0)
    header = file.read(512)
    if len(header) < 512:
        return False
    shift, first = struct.unpack_from("<H", header, 0x1E)[0], struct.unpack_from("<I", header, 0x30)[0]
    if shift not in (9, 12):
        return False
    file.seek((first + 1) << shift)
    return "EncryptedPackage".encode("utf-16-le") in file.read(8 << shift)
