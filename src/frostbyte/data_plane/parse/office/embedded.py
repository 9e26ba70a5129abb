"""Images inside Office files: read by OCR like any other page, and counted either way."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Final

from PIL import Image as Pillow

from frostbyte.data_plane.document import Image, Kind
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.image import frames, ocr
from frostbyte.data_plane.parse.image.writing import write_scan
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.office.archive import Archive
from frostbyte.kernel.errors import StageFailed

_FORMATS: Final = ["PNG", "JPEG", "TIFF", "BMP", "GIF"]
_SECOND: Final = (".svg", ".wdp", "/")
"""Kinds of pictures that stand beside another that shows the same; and folders."""
_MIN_SIDE: Final = 40
"""Pixels; smaller images are icons."""
_MAX_IMAGES: Final = 100
"""Images of one file that are read; the rest are counted as `not_read`."""


class EmbeddedImages:
    """Reads each image of an archive once, however often it is shown."""

    def __init__(self, archive: Archive, limits: ParseLimits, progress: Callable[[], None]) -> None:
        self._archive = archive
        self._limits = limits
        self._progress = progress
        self._seen: dict[str, str] = {}

    def write(self, builder: PageBuilder, name: str) -> None:
        """Record the image `name`; the first time, append what it says as a figure."""
        if name in self._seen:
            outcome = self._seen[name]
            builder.images.append(Image(box=None, outcome=outcome))
            return
        scan = ocr.Scan()
        if name not in self._archive.names or len(self._seen) >= _MAX_IMAGES or not self._limits.ocr:
            outcome = "not_read"
        else:
            self._progress()
            outcome, scan = self._read(name)
        self._seen[name] = outcome
        write_scan(builder, scan, kind=Kind.FIGURE, located=False)
        builder.images.append(Image(box=None, outcome=outcome))

    def passed_over(self) -> bool:
        """Whether the file has pictures that nothing that was read shows. Second forms of one are not counted."""
        folders = (name for name in self._archive.names if "/media/" in name and not name.endswith(_SECOND))
        return any(name not in self._seen for name in folders)

    def _read(self, name: str) -> tuple[str, ocr.Scan]:
        data = self._archive.read(name)
        Pillow.MAX_IMAGE_PIXELS = None  # the bound is in frame_picture and below
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Pillow.open(io.BytesIO(data), formats=_FORMATS) as image:
                    if min(image.size) < _MIN_SIDE:
                        return "too_small", ocr.Scan()
                    picture = frames.frame_picture(image, 1, self._limits).convert("L")
        except StageFailed:
            return "too_large", ocr.Scan()
        except frames.BROKEN:
            return "not_decodable", ocr.Scan()
        scan = ocr.read(picture)
        return ("read" if scan.has_text else "no_text"), scan
