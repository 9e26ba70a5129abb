"""Reads pictures of text while the next ones are being decoded: one thread a core, results in the order asked for.

Tesseract works without Python's lock, so threads of one process are enough to keep all cores busy, and the bounds on
the process (memory, processor time) hold for them together. What is read never depends on how many there are.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final

from PIL import Image as Pillow

from frostbyte.data_plane.parse.image import ocr

_MOST_THREADS: Final = 4
"""Each holds a decoded page and its engines, some 150 MB together; other documents are read meanwhile."""


class ReadAhead:
    """Hands pictures to threads; the same picture is read once (a letterhead stands on every page).

    Args:
        progress: told while somebody waits for a picture.
        threads: at most; by default the cores that this process may use.
    """

    def __init__(self, progress: Callable[[], None], threads: int = 0) -> None:
        self._progress = progress
        count = threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="ocr")
        # One picture more than threads waits, so that none of them ever does; no more, since pages are large.
        self._room = threading.BoundedSemaphore(count + 1)
        self._seen: dict[bytes, Future[ocr.Scan]] = {}

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def ask(self, grey: Pillow.Image, dpi: tuple[float, float]) -> Callable[[], ocr.Scan]:
        """Have a picture read.

        Returns:
            What waits for the result and returns it.
        """
        key = hashlib.sha256(f"{grey.size} {dpi}".encode() + grey.tobytes()).digest()
        future = self._seen.get(key)
        if future is None:
            self._room.acquire()
            future = self._seen[key] = self._threads.submit(self._read, grey, dpi)
        found = future

        def wait() -> ocr.Scan:
            scan = found.result()
            self._progress()
            return scan

        return wait

    def _read(self, grey: Pillow.Image, dpi: tuple[float, float]) -> ocr.Scan:
        try:
            return ocr.read(grey, dpi)
        finally:
            self._room.release()
