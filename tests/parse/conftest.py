"""Documents made for the tests, and a way to read them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from frostbyte.adapters.parsing import ParserPool
from frostbyte.data_plane.document import Document, Element, Page, Span, encode
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.office import docx_plain
from frostbyte.data_plane.parse.reader import parse
from frostbyte.kernel.errors import StageFailed

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MIMES = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".xlsx": XLSX,
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".png": "image/png",
    ".tiff": "image/tiff",
}
SAMPLES = Path(__file__).parents[2] / "samples"

Read = Callable[..., Document]
MakePdf = Callable[..., bytes]


@pytest.fixture(scope="session")
def read() -> Read:
    """Read bytes of a media type in this process."""

    def call(data: bytes, mime: str, limits: ParseLimits | None = None) -> Document:
        digest = hashlib.sha256(data).hexdigest()
        return parse(io.BytesIO(data), sha256=digest, mime=mime, size=len(data), limits=limits or ParseLimits())

    return call


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch, read: Read) -> Callable[[bytes], tuple[bytes | str, bytes | str]]:
    """Read a DOCX without and with what is taken from its bytes, however small it is and however little is plain:
    canonical documents, or codes of errors."""
    for name, value in (("_SMALL", 0), ("_FEW", 1_000_000), ("_PATIENCE", 1_000_000)):
        monkeypatch.setattr(docx_plain, name, value)

    def outcome(data: bytes) -> bytes | str:
        try:
            return encode(read(data, DOCX))
        except StageFailed as error:
            return error.code

    def call(data: bytes) -> tuple[bytes | str, bytes | str]:
        with monkeypatch.context() as patch:
            patch.setattr(docx_plain, "_taken", lambda *_: None)
            careful = outcome(data)
        return careful, outcome(data)

    return call


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    """Make a PDF: one drawing function a page."""

    def call(*pages: Callable[[Canvas], None], **options: object) -> bytes:
        target = io.BytesIO()
        canvas = Canvas(target, pagesize=A4, invariant=1, **options)
        for draw in pages:
            draw(canvas)
            canvas.showPage()
        canvas.save()
        return target.getvalue()

    return call


@pytest.fixture(scope="session")
def make_docx() -> Callable[..., bytes]:
    """Make a DOCX from the inside of its body and further members."""

    def call(body: str, members: Mapping[str, str] | None = None, relations: str = "", prolog: str = "") -> bytes:
        w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        parts = {
            "_rels/.rels": f'{head}<Relationships xmlns="{package}"><Relationship Id="r1" '
            f'Type="{kinds}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f"{head}{prolog}<w:document {w}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f'{head}<Relationships xmlns="{package}">{relations}</Relationships>',
        }
        return pack(parts | dict(members or {}))

    return call


def pack(members: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.fixture(scope="session")
def zipped() -> Callable[[Mapping[str, str | bytes]], bytes]:
    """Make a zip."""
    return pack


@pytest.fixture(scope="session")
def sample() -> Callable[[str], tuple[bytes, str]]:
    """Bytes and media type of a sample document."""
    return lambda name: ((SAMPLES / name).read_bytes(), MIMES[Path(name).suffix])


@pytest.fixture(scope="session")
def find() -> Callable[[Page, str], Span]:
    """The span of some words on a page."""

    def call(page: Page, words: str) -> Span:
        start = page.text.index(words)
        return Span(start=start, end=start + len(words))

    return call


@pytest.fixture(scope="session")
def texts() -> Callable[..., list[str]]:
    """What is read of a page's elements, all or those of one kind."""

    def call(page: Page, kind: str = "") -> list[str]:
        return [shown(page, element) for element in page.elements if kind in ("", element.kind.value)]

    return call


def shown(page: Page, element: Element) -> str:
    return page.reading(element.start, element.end)


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    """A pool of one real child."""
    reader = ParserPool(size=1, timeout=60)
    yield reader
    reader.close()
