"""A pool of warm processes: what a document can do to one of them ends with that process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from frostbyte.adapters.children import frames
from frostbyte.adapters.children.troubles import Bounds, Troubles, decode_failure
from frostbyte.kernel.errors import FrostbyteError, StageFailed

_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""All that a child sees of the environment: no setting of ours, hence no secret."""


class ChildPool:
    """Hands work to child processes. Safe to use from several threads.

    Args:
        command: the program of a child.
        troubles: how failures are told.
        size: children at most, and so documents at a time.
        timeout: seconds that a child may take without progress.
        total_timeout: seconds for one document.
        bounds: memory and processor time of a child.
        max_output: bytes of a result.
        recycle_after: documents after which a child is replaced, so that leaks of libraries stay small.
    """

    def __init__(
        self,
        command: Sequence[str],
        troubles: Troubles,
        *,
        size: int = 2,
        timeout: float = 120.0,
        total_timeout: float = 3_600.0,
        bounds: Bounds | None = None,
        max_output: int = 256 << 20,
        recycle_after: int = 200,
    ) -> None:
        self._command = tuple(command)
        self._troubles = troubles
        self._timeout = timeout
        self._total = total_timeout
        self._bounds = bounds or Bounds(cpu_seconds=max(1, int(total_timeout)))
        self._max_output = max_output
        self._recycle_after = recycle_after
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    def ask(self, request: bytes, content: Iterable[bytes]) -> bytes:
        """What a child answers.

        Raises:
            StageFailed, NotFound, Unavailable: from the child, or what `troubles` names.
        """
        child: _Child | None = None
        try:
            with self._slots, self._child() as child:
                return child.ask(
                    request, content, timeout=self._timeout, total=self._total, max_output=self._max_output
                )
        except StageFailed:
            if self._closed and child is not None and child.broken:
                raise self._troubles.shut_down() from None  # we ended it ourselves: the document is not to blame
            raise

    def warm(self) -> None:
        """Have a child ready, so that whoever asks first does not wait until one has loaded its libraries.

        Raises:
            Unavailable: no child could be started.
        """
        with self._lock:
            wanted = not (self._closed or self._all)
        if not wanted:
            return
        child = self._start()
        with self._lock:
            kept = not self._closed
            if kept:
                self._idle.append(child)
        if not kept:  # closed meanwhile
            self._forget(child)

    def close(self) -> None:
        """End every child. The pool cannot be used afterwards."""
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

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        """A child for one document; it goes back to the idle ones only if it is as good as new."""
        child = self._take()
        healthy = False
        try:
            yield child
            healthy = True
        except FrostbyteError:
            healthy = child.waiting and not child.broken
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
                    raise self._troubles.shut_down()
                child = self._idle.pop() if self._idle else None
            if child is None:
                return self._start()
            if child.alive:
                return child
            self._forget(child)

    def _start(self) -> _Child:
        try:
            child = _Child(self._command, self._bounds, self._troubles)
        except (OSError, frames.Broken, frames.Late) as error:
            raise self._troubles.not_started() from error
        with self._lock:
            self._all.add(child)
        return child

    def _forget(self, child: _Child) -> None:
        child.kill()
        with self._lock:
            self._all.discard(child)


class _Child:
    """One process."""

    def __init__(self, command: Sequence[str], bounds: Bounds, troubles: Troubles) -> None:
        self._troubles = troubles
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
        self.broken = False
        """It hung, died or ran out of memory: it is not used again."""
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

    def ask(self, request: bytes, content: Iterable[bytes], *, timeout: float, total: float, max_output: int) -> bytes:
        """Send request and content, and return the answer.

        Raises:
            StageFailed, NotFound: from the child, or because it hung, crashed or answered too much.
        """
        limit = time.monotonic() + total
        self.waiting = False
        try:
            self._send(frames.REQUEST, request, timeout)
            for chunk in content:
                self._send(frames.DATA, chunk, timeout)
            self._pipe.send(frames.END, b"", timeout)
            return self._answer(timeout, limit, total, max_output)
        except frames.Late:
            self.broken = True
            raise self._troubles.timed_out(timeout) from None
        except frames.Broken:
            self.broken = True
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
                self.broken = True
                raise self._troubles.too_slow(total)
            try:
                letter, data = self._pipe.receive(min(timeout, left))
            except frames.Late:
                if timeout <= left:
                    raise
                self.broken = True
                raise self._troubles.too_slow(total) from None
            if letter == frames.DATA:
                parts.append(data)
                length += len(data)
                if length > max_output:
                    raise self._troubles.output_too_large(max_output)
            elif letter == frames.FAILURE:
                self.waiting = True
                error = decode_failure(data, self._troubles)
                self.broken = error.code in (self._troubles.out_of_memory().code, self._troubles.crashed("").code)
                raise error
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
            return self._troubles.crashed("it speaks nonsense")
        if status == -signal.SIGXCPU:
            return self._troubles.too_slow(total)
        if status == -signal.SIGKILL:
            # Nobody but the kernel's memory killer ends our children this way while we wait for them.
            return self._troubles.out_of_memory()
        return self._troubles.crashed(f"signal {-status}" if status < 0 else f"exit status {status}")

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
