"""What every reader promises, in this process or in a child."""

from __future__ import annotations

import hashlib
import io
import threading

import pytest
from PIL import Image

from frostbyte.adapters.parsing import DirectReader, ParserPool
from frostbyte.data_plane.document import Page, Span, encode
from frostbyte.data_plane.parse import PARSER_VERSION
from frostbyte.kernel.errors import NotFound, StageFailed

NAMES = [
    "services-agreement.pdf",
    "besucherdaten-richtlinie.pdf",
    "invoice-2026-0417.docx",
    "laboratory-budget.xlsx",
    "deliveries.csv",
    "cold-storage-sop.txt",
    "complaint-letter.png",
    "storage-order-fax.tiff",
    "supplier-note.pdf",
]


@pytest.fixture(scope="module", params=["direct", "pool"])
def reader(request):
    made = DirectReader() if request.param == "direct" else ParserPool(size=2, timeout=60)
    yield made
    made.close()


def ask(reader, data, mime, piece=7_000):
    chunks = (data[start : start + piece] for start in range(0, len(data), piece))
    return reader.parse(chunks, sha256=hashlib.sha256(data).hexdigest(), mime=mime, size=len(data))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_give_the_same_document_everywhere(reader, read, sample, name):
    data, mime = sample(name)
    document = ask(reader, data, mime)
    assert encode(document) == encode(ask(reader, data, mime)) == encode(read(data, mime))
    assert document.source.sha256 == hashlib.sha256(data).hexdigest()
    assert (document.source.mime, document.source.size) == (mime, len(data))
    assert document.lineage.version == PARSER_VERSION
    assert document.pages_found == len(document.pages) >= 1


def test_a_program_with_a_documents_name_is_damaged(reader, sample):
    data, mime = sample("notes.pdf")
    with pytest.raises(StageFailed) as caught:
        ask(reader, data, mime)
    assert caught.value.code == "damaged"


def test_a_failure_does_not_stop_the_next(reader, sample):
    for _ in range(3):
        with pytest.raises(StageFailed):
            ask(reader, b"%PDF-", "application/pdf")
    assert ask(reader, *sample("cold-storage-sop.txt")).title == "STANDARD OPERATING PROCEDURE"


def test_pictures(reader, sample, find):
    data, mime = sample("services-agreement.pdf")
    page = ask(reader, data, mime).pages[0]
    png = reader.picture([data], mime=mime, page=page, redact_spans=[find(page, "Marian Tolliver")], dpi=50)
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (414, 585)
    assert png != reader.picture([data], mime=mime, page=page, dpi=50)


def test_no_picture(reader):
    with pytest.raises(NotFound) as caught:
        reader.picture([b"x"], mime="text/plain", page=Page(number=1, text="x"), highlight_spans=[Span(start=0, end=1)])
    assert caught.value.code == "no_page_picture"


def test_errors_of_the_source_pass_through(reader):
    class Torn(Exception):
        pass

    def chunks():
        yield b"%PDF-1.7"
        raise Torn

    with pytest.raises(Torn):
        reader.parse(chunks(), sha256="", mime="application/pdf", size=9)
    assert ask(reader, b"still here", "text/plain").pages[0].text == "still here"


def test_several_threads(reader, sample):
    data, mime = sample("services-agreement.pdf")
    expected = encode(ask(reader, data, mime))
    results = []
    threads = [threading.Thread(target=lambda: results.append(encode(ask(reader, data, mime)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6
