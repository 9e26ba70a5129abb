"""PDFs written byte by byte, for what no library writes: scripts without a font file, object streams."""

from __future__ import annotations

import zlib


def page_of(lines: list[tuple[str, float, float]], *, media: str = "0 0 595 842", extra: str = "") -> bytes:
    """One page of lines (text, left, baseline); each character is a code of its own that a ToUnicode map explains."""
    codes = {
        character: number + 1 for number, character in enumerate(sorted({c for text, _, _ in lines for c in text}))
    }
    marks = "\n".join(f"<{code:04x}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items())
    unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(codes)} beginbfchar\n{marks}\nendbfchar\n"
        "endcmap end end"
    )
    content = "\n".join(
        f"BT /F 12 Tf 1 0 0 1 {x} {y} Tm <{''.join(f'{codes[c]:04x}' for c in text)}> Tj ET" for text, x, y in lines
    )
    return _file(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[{media}]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>{extra}>>",
            _stream(content),
            "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>",
            "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/DW 500/FontDescriptor 8 0 R"
            "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
            _stream(unicode),
            "<</Type/FontDescriptor/FontName/X/Flags 4/FontBBox[0 -200 500 800]/ItalicAngle 0/Ascent 800/Descent -200"
            "/CapHeight 700/StemV 80>>",
        ]
    )


SEEN = "BT /F 12 Tf 72 700 Td (Seen by everybody.) Tj ET\n"
"""A line for `one_page`."""


def one_page(
    content: str, *, extra: str = "", root: str = "", resources: str = "", more: tuple[str, ...] = ()
) -> bytes:
    """One page with Helvetica as /F; `extra` goes into its dictionary, `root` into the catalogue; `more` are objects
    from number 6 on."""
    return _file(
        [
            f"<</Type/Catalog/Pages 2 0 R{root}>>",
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>{resources}>>"
            f"{extra}>>",
            _stream(content),
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            *more,
        ]
    )


def annotated(*annotations: str, content: str = SEEN, shows: str = "", form: bool = False, acroform: str = "") -> bytes:
    """A page with annotations that lie at 72, 600 unless they say otherwise, and may show object 6, which writes
    `shows`; they are fields of a form where `form` says so."""
    references = " ".join(f"{7 + number} 0 R" for number in range(len(annotations)))
    drawn = f"BT /F 12 Tf 2 5 Td ({shows}) Tj ET" if shows else "0 g 0 0 200 20 re f"
    shown = f"/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F 5 0 R>>>>/Length {len(drawn)}"
    return one_page(
        content,
        extra=f"/Annots[{references}]",
        root=f"/AcroForm<</Fields[{references}]/DA(/F 12 Tf 0 g)/DR<</Font<</F 5 0 R>>>>{acroform}>>" if form else "",
        more=(
            f"<<{shown}>>\nstream\n{drawn}\nendstream",
            *(
                f"<</Type/Annot{'' if '/Rect' in text else '/Rect[72 600 272 620]'}"
                f"{'' if '/F ' in text else '/F 4'}{text}>>"
                for text in annotations
            ),
        ),
    )


def packed(sentences: list[str], *, root: str = "", resources: str = "", more: dict[int, str] | None = None) -> bytes:
    """A PDF 1.5 whose page objects lie in an object stream, one page a sentence; the cross-reference stream is last.

    `root` goes into the catalogue, `resources` into those of the pages, `more` into the stream (numbers 4 to 9).
    """
    count = len(sentences)
    inside: dict[int, str] = {
        1: f"<</Type/Catalog/Pages 2 0 R{root}>>",
        2: f"<</Type/Pages/Count {count}/Kids[{' '.join(f'{10 + n} 0 R' for n in range(count))}]>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        **(more or {}),
    }
    for number in range(count):
        inside[10 + number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {100 + number} 0 R"
            f"/Resources<</Font<</F 3 0 R>>{resources}>>>>"
        )
    body = head = ""
    for number, content in inside.items():
        head += f"{number} {len(body)} "
        body += content + "\n"
    data = zlib.compress((head + body).encode())
    parts = [b"%PDF-1.5\n"]
    offsets: dict[int, int] = {}

    def add(number: int, content: bytes) -> None:
        offsets[number] = sum(map(len, parts))
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, content))

    dictionary = f"<</Type/ObjStm/N {len(inside)}/First {len(head)}/Filter/FlateDecode/Length {len(data)}>>"
    add(50, dictionary.encode() + b"\nstream\n" + data + b"\nendstream")
    for number, sentence in enumerate(sentences):
        add(100 + number, _stream(f"BT /F 12 Tf 72 700 Td ({sentence}) Tj ET").encode())
    size = 100 + count + 1
    rows = bytearray()
    for number in range(size):
        if number in inside:
            rows += bytes([2]) + (50).to_bytes(4, "big") + list(inside).index(number).to_bytes(2, "big")
        elif number in offsets:
            rows += bytes([1]) + offsets[number].to_bytes(4, "big") + b"\0\0"
        else:
            rows += b"\0" * 7
    at = sum(map(len, parts))
    parts.append(
        b"%d 0 obj\n<</Type/XRef/Size %d/W[1 4 2]/Root 1 0 R/Length %d>>\nstream\n%s\nendstream\nendobj\n"
        % (size, size, len(rows), bytes(rows))
    )
    parts.append(b"startxref\n%d\n%%%%EOF\n" % at)
    return b"".join(parts)


def _stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"


def _file(objects: list[str]) -> bytes:
    parts = [b"%PDF-1.4\n"]
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(sum(map(len, parts)))
        parts.append(f"{number} 0 obj\n{content}\nendobj\n".encode())
    at = sum(map(len, parts))
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    parts.append(
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\n"
        f"startxref\n{at}\n%%EOF\n".encode()
    )
    return b"".join(parts)
