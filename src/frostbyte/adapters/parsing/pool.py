"""A pool of warm parser processes: what a document can do to one of them ends with that process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from frostbyte.adapters.parsing import frames
from frostbyte.adapters.parsing.requests import (
    Bounds,
    ParseRequest,
    PictureRequest,
    Request,
    crashed,
    decode_failure,
    encode_request,
    out_of_memory,
    output_too_large,
    timed_out,
    too_slow,
)
from frostbyte.data_plane.document import Document, Page, Span, decode_document
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.wellformed import check
from frostbyte.kernel.errors import FrostbyteError, StageFailed, Unavailable

_COMMAND: Final = (sys.executable, "-m", "frostbyte.adapters.parsing.child")
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""All that a child sees of the environment: no setting of ours, hence no secret."""
_FATAL: Final = frozenset({"parser_memory", "parser_crashed", "parser_timeout"})
"""Failures after which a child is not used again."""


class ParserPool:
    """Implements `parse.Reader` with child processes. Safe to use from several threads.

    Args:
        size: children at most, and so documents at a time.
        timeout: seconds that a child may take without finishing a page.
        total_timeout: seconds for one document.
        bounds: memory and processor time of a child.
        max_output: bytes of a result.
        recycle_after: documents after which a child is replaced, so that leaks of libraries stay small.
        limits: what parsers may spend on one document.
        command: what to start instead of our child; tests use it for children that misbehave.
    """

    def __init__(
        self,
        *,
        size: int = 2,
        timeout: float = 120.0,
        total_timeout: float = 3_600.0,
        bounds: Bounds | None = None,
        max_output: int = 256 << 20,
        recycle_after: int = 200,
        limits: ParseLimits = DEFAULT_LIMITS,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._timeout = timeout
        self._total = total_timeout
        self._bounds = bounds or Bounds(cpu_seconds=max(1, int(total_timeout)))
        self._max_output = max_output
        self._recycle_after = recycle_after
        self._limits = limits
        self._command = tuple(command)
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    def parse(self, chunks: Iterable[bytes], *, sha256: str, mime: str, size: int) -> Document:
        """See `parse.Reader.parse`."""
        request = ParseRequest(sha256=sha256, mime=mime, size=size, limits=self._limits)
        try:
            document = decode_document(self._ask(request, chunks))
        except msgspec.DecodeError:
            raise crashed("an unreadable document") from None
        if (document.source.sha256, document.source.mime, document.source.size) != (sha256, mime, size):
            raise crashed("an answer to another question")
        check(document)  # again here: the child that made it has touched hostile bytes
        return document

    def picture(
        self,
        chunks: Iterable[bytes],
        *,
        mime: str,
        page: Page,
        redact_spans: Sequence[Span] = (),
        highlight_spans: Sequence[Span] = (),
        cover_images: bool = True,
        dpi: int = 110,
    ) -> bytes:
        """See `parse.Reader.picture`."""
        request = PictureRequest(
            mime=mime,
            page=page,
            redact=tuple(redact_spans),
            highlight=tuple(highlight_spans),
            cover_images=cover_images,
            dpi=dpi,
            limits=self._limits,
        )
        data = self._ask(request, chunks)
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise crashed("a picture that is none")
        return data

    def close(self) -> None:
        """See `parse.Reader.close`."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
        for child in idle:
            self._forget(child)
        for child in busy:
            child.end()  # its pipes belong to the thread that waits on them, which cleans up

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that live, for metrics and tests."""
        with self._lock:
            return tuple(sorted(child.pid for child in self._all))

    def _ask(self, request: Request, chunks: Iterable[bytes]) -> bytes:
        try:
            with self._slots, self._child() as child:
                return child.ask(request, chunks, timeout=self._timeout, total=self._total, max_output=self._max_output)
        except StageFailed as error:
            if self._closed and error.code in _FATAL:
                raise _shut_down() from None  # we ended the child ourselves: the document is not to blame
            raise

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        """A child for one document; it goes back to the idle ones only if it is as good as new."""
        child = self._take()
        healthy = False
        try:
            yield child
            healthy = True
        except StageFailed as error:
            healthy = child.waiting and error.code not in _FATAL
            raise
        except FrostbyteError:
            healthy = child.waiting
            raise
        finally:
            child.served += 1
            with self._lock:
                keep = healthy and child.served < self._recycle_after and not self._closed
                if keep:
                    self._idle.append(child)
            if not keep:
                self._forget(child)

    def _take(self) -> _Child:
        while True:
            with self._lock:
                if self._closed:
                    raise _shut_down()
                child = self._idle.pop() if self._idle else None
            if child is None:
                return self._start()
            if child.alive:
                return child
            self._forget(child)

    def _start(self) -> _Child:
        try:
            child = _Child(self._command, self._bounds)
        except (OSError, frames.Broken, frames.Late) as error:
            raise Unavailable(
                "parser_unavailable", "No parser process could be started.", "Check memory and process limits."
            ) from error
        with self._lock:
            self._all.add(child)
        return child

    def _forget(self, child: _Child) -> None:
        child.kill()
        with self._lock:
            self._all.discard(child)


def _shut_down() -> Unavailable:
    return Unavailable("parser_unavailable", "The parsers are shut down.", "Try again in a moment.")


class _Child:
    """One process."""

    def __init__(self, command: Sequence[str], bounds: Bounds) -> None:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # One thread per child: the pool is the parallelism, and results must not depend on the machine.
        environment |= {"OMP_THREAD_LIMIT": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print pieces of documents
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        self.served = 0
        self.waiting = True
        """It has answered all that it was asked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe = frames.Pipe(self._process.stdout.fileno(), self._process.stdin.fileno())
        try:
            self._pipe.send(frames.BOUNDS, msgspec.json.encode(bounds), 30.0)
        except (frames.Broken, frames.Late):
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def ask(self, request: Request, chunks: Iterable[bytes], *, timeout: float, total: float, max_output: int) -> bytes:
        """Send request and content, and return the answer.

        Raises:
            StageFailed, NotFound: from the child, or because it hung, crashed or answered too much.
        """
        limit = time.monotonic() + total
        self.waiting = False
        try:
            self._send(frames.REQUEST, encode_request(request), timeout)
            for chunk in chunks:
                self._send(frames.DATA, chunk, timeout)
            self._pipe.send(frames.END, b"", timeout)
            return self._answer(timeout, limit, total, max_output)
        except frames.Late:
            raise timed_out(timeout) from None
        except frames.Broken:
            raise self._cause(total) from None

    def _send(self, letter: bytes, data: bytes, timeout: float) -> None:
        view = memoryview(data)
        for start in range(0, len(view), frames.FRAME_BYTES):
            self._pipe.send(letter, view[start : start + frames.FRAME_BYTES], timeout)

    def _answer(self, timeout: float, limit: float, total: float, max_output: int) -> bytes:
        parts: list[bytes] = []
        length = 0
        while True:
            left = limit - time.monotonic()
            if left <= 0:
                raise too_slow(total)
            try:
                letter, data = self._pipe.receive(min(timeout, left))
            except frames.Late:
                raise (timed_out(timeout) if timeout <= left else too_slow(total)) from None
            if letter == frames.DATA:
                parts.append(data)
                length += len(data)
                if length > max_output:
                    raise output_too_large(max_output)
            elif letter == frames.FAILURE:
                self.waiting = True
                raise decode_failure(data)
            elif letter == frames.END:
                self.waiting = True
                return b"".join(parts)
            elif letter != frames.PROGRESS:
                raise frames.Broken

    def _cause(self, total: float) -> StageFailed:
        """Why it is gone."""
        try:
            status = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return crashed("it speaks nonsense")
        if status == -signal.SIGXCPU:
            return too_slow(total)
        if status == -signal.SIGKILL:
            # Nobody but the kernel's memory killer ends our children this way while we wait for them.
            return out_of_memory()
        return crashed(f"signal {-status}" if status < 0 else f"exit status {status}")

    def end(self) -> None:
        """Have it end; its pipes stay open."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def kill(self) -> None:
        """End it now and close its pipes."""
        self.end()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()
