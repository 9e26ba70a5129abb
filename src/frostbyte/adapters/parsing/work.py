"""What is asked of a parser, and doing it: the same in this process and in a child.

Loads the parsing libraries, so only children and the direct reader import it.
"""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable
from typing import Any

from frostbyte.adapters.parsing.requests import ParseRequest, PictureRequest, decode_request
from frostbyte.adapters.parsing.troubles import TROUBLES
from frostbyte.data_plane.document import encode
from frostbyte.data_plane.parse import picture, reader
from frostbyte.kernel.errors import FrostbyteError

Progress = Callable[[], None]


def perform(asked: bytes, data: bytes | bytearray, progress: Progress) -> bytes:
    """Do what the request asks with the document's bytes.

    Returns:
        The canonical document's JSON, or a PNG.

    Raises:
        StageFailed, NotFound: as `parse.Reader` says; nothing else leaves.
    """
    try:
        request = decode_request(asked)
        source = io.BytesIO(data)
        if isinstance(request, ParseRequest):
            document = reader.parse(
                source,
                sha256=request.sha256,
                mime=request.mime,
                size=request.size,
                limits=request.limits,
                progress=progress,
            )
            return encode(document)
        return _picture(source, request)
    except FrostbyteError:
        raise
    except MemoryError:
        raise TROUBLES.out_of_memory() from None
    except Exception as error:  # noqa: BLE001 - hostile bytes find every kind; the place is told, the text may be content
        raise TROUBLES.crashed(_place(error)) from None


def _picture(source: io.BytesIO, request: PictureRequest) -> bytes:
    return picture.redacted_png(
        source,
        request.mime,
        request.page,
        redact=request.redact,
        highlight=request.highlight,
        cover_images=request.cover_images,
        dpi=request.dpi,
        limits=request.limits,
    )


def _place(error: BaseException) -> str:
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if "frostbyte" in frame.filename), frames[-1])
    return f"{type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
