"""Reads many small objects of a folder in processes beside this one.

To open a file, read and close it takes the system eight microseconds, and Python as many; threads of one process take
turns in the latter, and whoever encrypts what was read waits for its turn too. So whoever reads hundred thousands of
objects has processes read them: each is asked for a few hundred by name, and answers with their beginnings.

    asked      length (4 bytes) | MessagePack: [names, length of a beginning]
    answered   length (4 bytes) | MessagePack: for each name [size, length of what follows], nil where it is not there
               | length (4 bytes) | the beginnings, one after the other

A process that fails in any way is done with, and what it was asked for is read here: no answer hangs on it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import msgspec

from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.kernel.errors import FrostbyteError, NotFound

MOST: Final = max(2, min(4, len(os.sched_getaffinity(0))))
"""Processes, two at least: one reads while the other waits for the disk."""
BEFORE: Final = 4096
"""Objects that are read here before any process is started: to start one takes as long as to read that many."""
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""All that a process sees of the environment: no setting of ours, hence no secret."""
_PIPE: Final = 1 << 20
"""Bytes that a pipe holds: fewer, and both sides wait for one another once a page."""
_Told = list[tuple[int, int] | None]


class HeadsBeside:
    """See kernel.ports.blobs.Heads. Safe to use from several threads; use it as a context manager.

    Args:
        store: the folder's.
        most: processes.
        before: objects that are read here first.
    """

    def __init__(self, store: LocalBlobs, *, most: int = MOST, before: int = BEFORE) -> None:
        self._store, self._before = store, before
        self._slots = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[_Reader] = []

    def heads(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """See the port."""
        with self._lock:
            self._before -= len(names)
            here = self._before >= 0
        if not here:
            with self._slots, suppress(OSError, EOFError, msgspec.MsgspecError):
                return self._asked(names, length)
        return [_head(self._store, name, length) for name in names]

    def _asked(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        reader = reader or _Reader(self._store.folder)
        try:
            found = reader.ask(names, length)
        except BaseException:
            reader.end()
            raise
        with self._lock:
            self._idle.append(reader)
        return found

    def __enter__(self) -> HeadsBeside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._idle:
            reader.end()
        self._idle.clear()


class _Reader:
    """A process that reads."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the same interpreter, on a module of ours
            [sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._writing, self._reading = self._process.stdin, self._process.stdout
        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _PIPE)

    def ask(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """Raises OSError, EOFError, MsgspecError."""
        _send(self._writing, msgspec.msgpack.encode((names, length)))
        told = msgspec.msgpack.decode(_received(self._reading), type=_Told)
        body = _received(self._reading)
        found: list[tuple[bytes, int] | None] = []
        at = 0
        for one in told:
            if one is None:
                found.append(None)
                continue
            size, taken = one
            found.append((body[at : at + taken], size))
            at += taken
        if len(found) != len(names) or at != len(body):
            raise EOFError
        return found

    def end(self) -> None:
        """Have it end."""
        self._process.kill()
        with suppress(OSError):
            self._writing.close()
        self._reading.close()
        self._process.wait()


def _send(stream: IO[bytes], *parts: bytes) -> None:
    for part in parts:
        stream.write(len(part).to_bytes(4, "big"))
        stream.write(part)
    stream.flush()


def _received(stream: IO[bytes]) -> bytes:
    """Raises EOFError."""
    length = stream.read(4)
    data = stream.read(int.from_bytes(length, "big"))
    if len(length) < 4 or len(data) < int.from_bytes(length, "big"):
        raise EOFError
    return data


def _head(store: LocalBlobs, name: str, length: int) -> tuple[bytes, int] | None:
    try:
        return store.head(name, length)
    except NotFound:
        return None


def main() -> None:
    """The inside of such a process: it ends when nobody asks any more, and with the first failure, which who asked
    meets by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's key ends the one that asks
    with suppress(EOFError, BrokenPipeError, FrostbyteError):
        store = LocalBlobs(Path(sys.argv[1]))
        while True:
            names, length = msgspec.msgpack.decode(_received(sys.stdin.buffer), type=tuple[list[str], int])
            found = [_head(store, name, length) for name in names]
            told: _Told = [None if one is None else (one[1], len(one[0])) for one in found]
            _send(sys.stdout.buffer, msgspec.msgpack.encode(told), b"".join(one[0] for one in found if one is not None))


if __name__ == "__main__":
    main()
