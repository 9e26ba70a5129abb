"""Writes docs/gallery.md: pages of our own, and what `frostbyte parse` makes of them today.

python tools/gallery.py            write it, and the pictures beside it
python tools/gallery.py --check    say whether it is what would be written; exit code 1 if not
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "gallery.md"
PICTURES: Final = ROOT / "docs" / "gallery"
_SCALE: Final = 0.75
"""Of 72 dpi: a page is a picture of some 450 by 630 points."""


class Piece(NamedTuple):
    """One file of the gallery."""

    title: str
    path: str
    look: str
    """What to look at."""
    lines: int
    """How many lines of the result are shown; 0 for all."""
    pictured: bool = True


PIECES: Final = (
    Piece(
        "A paper in two columns",
        "docs/gallery/two-column-paper.pdf",
        "The abstract spans both columns, then each column is read down to its end. The table has rules above, below "
        "the head and below the body only. `ope-` and `nings` are one word again, the footnote stands apart from the "
        "text beside it, and the running header and page numbers are not in the way.",
        0,
    ),
    Piece(
        "A contract",
        "samples/services-agreement.pdf",
        "Headings come from the document's outline. The table of fees is ruled. The running header and footer are read "
        "once, and each repetition is dropped with that reason: the account of the document says so.",
        46,
    ),
    Piece(
        "A slanted scan",
        "docs/gallery/slanted-scan.tiff",
        "The same first page as a scanner took it in: 200 dpi, black and white, 2.4 degrees askew, and no text in the "
        "file.",
        0,
    ),
    Piece(
        "A workbook",
        "samples/laboratory-budget.xlsx",
        "Each sheet stands under its name, each block of cells is a table of its own, and numbers and dates are "
        "written as the workbook shows them.",
        0,
        pictured=False,
    ),
)

HEAD: Final = """# Gallery

What `frostbyte parse` makes of four files of our own, as it is today. `python tools/gallery.py` writes this page, and a
test fails when it no longer tells the truth. Every command works in a checkout after `make setup`; nothing here
needs a server, and nothing is redacted.
"""


def parsed(path: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-c", "from frostbyte.cli.app import main; main()", "parse", path, "--to", "md"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout


def section(piece: Piece) -> str:
    """A piece's part of the page."""
    lines = parsed(piece.path).rstrip().splitlines()
    shown = lines if not piece.lines else lines[: piece.lines]
    rest = [] if len(shown) == len(lines) else ["", f"... and {len(lines) - len(shown)} lines more"]
    name = Path(piece.path).name
    picture = f'<img src="gallery/{picture_of(piece).name}" alt="The first page of {name}" width="420">\n\n'
    return (
        f"## {piece.title}\n\n{piece.look}\n\n{picture if piece.pictured else ''}"
        f"    frostbyte parse {piece.path} --to md\n\n"
        "~~~markdown\n" + "\n".join([*shown, *rest]) + "\n~~~\n"
    )


def picture_of(piece: Piece) -> Path:
    """Where the picture of its first page stands."""
    return PICTURES / f"{Path(piece.path).stem}.png"


def draw(piece: Piece) -> None:
    """Draw the first page."""
    from PIL import Image

    path = ROOT / piece.path
    if path.suffix == ".pdf":
        import pypdfium2 as pdfium

        page = pdfium.PdfDocument(path)[0].render(scale=2 * _SCALE, grayscale=True).to_pil()
    else:
        with Image.open(path) as image:
            page = image.convert("L")
            page = page.resize((int(595 * 2 * _SCALE), int(842 * 2 * _SCALE)), Image.Resampling.LANCZOS)
    page.quantize(16).save(picture_of(piece), "PNG", optimize=True)


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(piece) for piece in PIECES)])


def main() -> int:
    """Write or check."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    for piece in PIECES:
        if piece.pictured:
            draw(piece)
    return 0


if __name__ == "__main__":
    sys.exit(main())
