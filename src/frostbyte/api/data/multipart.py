"""A multipart upload, taken in as it flows: no part is ever held whole, and none is written to disk unsealed.

The parser calls back while bytes arrive; what it says is queued and handled between two reads of the body, in a
worker thread, because sealing and fsync must not hold up the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from frostbyte.data_plane.intake import BatchSession, FileSink, Manifest, parse_manifest
from frostbyte.kernel.errors import Invalid

_MANIFEST_BYTES: Final = 4 << 20
_HEADER_BYTES: Final = 8 << 10
_FIELD_BYTES: Final = 1 << 10
_GATHER: Final = 1 << 20
"""Bytes handed to the worker thread at once."""
_MOST_PARTS: Final = 100_001
"""As many files as `max_batch_size` can be set to, and a manifest: each part costs a receipt, so there is an end."""


def malformed(why: str) -> Invalid:
    """The error for a body that is no upload."""
    return Invalid(
        "multipart_invalid", f"The upload cannot be read: {why}.", "Send multipart/form-data with parts named 'files'."
    )


def boundary_of(content_type: str) -> bytes:
    """The boundary that the header names. Raises Invalid("multipart_invalid")."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise malformed("it is not multipart/form-data with a boundary")
    return options[b"boundary"]


class Upload:
    """Feeds one body to an intake session.

    Args:
        boundary: from the content type.
        open_batch: begins the upload; called with the manifest, or None, before the first file.
        fields: names of short fields that may come before the first file.

    Attributes:
        said: the values of those fields, as far as they came.
    """

    def __init__(
        self,
        boundary: bytes,
        open_batch: Callable[[Manifest | None], BatchSession],
        fields: tuple[str, ...] = (),
    ) -> None:
        self._open_batch = open_batch
        self._fields = fields
        self._field = ""
        self.said: dict[str, str] = {}
        self.session: BatchSession | None = None
        self._sink: FileSink | None = None
        self._manifest: bytearray | None = None
        self._calls: list[tuple[str, bytes]] = []
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._ended = False
        self._aborted = False
        self._lock = threading.Lock()
        self._parts = 0
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": lambda data, start, end: self._calls.append(("data", data[start:end])),
            "on_part_end": lambda: self._calls.append(("end", b"")),
            "on_end": self._on_end,
        }
        self._begun: list[dict[bytes, bytes]] = []
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    async def take(self, body: AsyncIterator[bytes]) -> BatchSession:
        """Read the body to its end; the session is ready to be closed.

        Raises:
            Invalid: `multipart_invalid`, `manifest_invalid`; what was accepted before stays accepted.
        """
        gathered = bytearray()
        work: asyncio.Task[None] | None = None
        try:
            async for data in body:
                gathered += data
                if len(gathered) >= _GATHER:
                    if work is not None:
                        await work
                    # the next piece is read while this one is sealed: at most two are held
                    work = asyncio.create_task(run_in_threadpool(self._feed, bytes(gathered)))
                    gathered = bytearray()
            if work is not None:
                await work
            await run_in_threadpool(self._feed, bytes(gathered))
        finally:
            if work is not None:
                await asyncio.wait([work])
                _ = work.cancelled() or work.exception()  # raised above already, or second to what broke off
        if not self._ended:
            raise malformed("it ends before its closing boundary")
        if self.session is None:
            self.session = await run_in_threadpool(self._open_batch, self._parsed_manifest())
        return self.session

    def abort(self) -> None:
        """The body broke off: nothing of the file under way remains; files before it stay accepted."""
        with self._lock:
            self._aborted = True
            if self._sink is not None:
                self._sink.abort()
                self._sink = None
            if self.session is not None:
                self.session.abandon()

    def _feed(self, data: bytes) -> None:
        with self._lock:  # a cancelled request leaves its thread running; `abort` waits for it
            if data and not self._aborted:
                self._handle(data)

    def _handle(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError:
            raise malformed("its boundaries or headers are broken") from None
        calls, self._calls = self._calls, []
        for name, piece in calls:
            if name == "begin":
                self._begin(self._begun.pop(0))
            elif name == "data":
                self._write(piece)
            else:
                self._end()

    def _begin(self, headers: dict[bytes, bytes]) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise malformed("it has too many parts")
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        part = options.get(b"name", b"")
        if part == b"manifest":
            if self.session is not None or self._manifest is not None:
                raise malformed("the manifest must be the first part and come once")
            self._manifest = bytearray()
            return
        if part.decode("latin-1") in self._fields and self.session is None:
            self._field = part.decode("latin-1")
            self.said[self._field] = ""
            return
        if part != b"files" or b"filename" not in options:
            raise malformed("a part is neither 'manifest' nor a file named 'files'")
        if self.session is None:
            self.session = self._open_batch(self._parsed_manifest())
        if not self.session.replayed:
            declared = headers.get(b"content-type", b"").decode("latin-1")
            self._sink = self.session.file(options[b"filename"], declared)

    def _parsed_manifest(self) -> Manifest | None:
        return parse_manifest(bytes(self._manifest)) if self._manifest is not None else None

    def _write(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink.write(data)
        elif self._field:
            self.said[self._field] += data.decode("latin-1")
            if len(self.said[self._field]) > _FIELD_BYTES:
                raise malformed("a field is too long")
        elif self.session is None and self._manifest is not None:
            if len(self._manifest) + len(data) > _MANIFEST_BYTES:
                raise malformed("the manifest is larger than 4 MiB")
            self._manifest += data

    def _end(self) -> None:
        self._field = ""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.finish()

    # -- the parser's callbacks: they only take notes ---------------------------------------------------------------

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._name = self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._bounded()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _bounded(self) -> None:
        if len(self._name) + len(self._value) > _HEADER_BYTES:
            raise malformed("a part's header is too long")

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        if len(self._headers) > 16:
            raise malformed("a part has too many headers")
        self._name = self._value = b""

    def _on_end(self) -> None:
        self._ended = True

    def _on_headers_finished(self) -> None:
        self._begun.append(self._headers)
        self._calls.append(("begin", b""))
