"""Frames on a pipe: one letter, a length, the bytes. Reading and writing never wait longer than they may."""

from __future__ import annotations

import os
import select
import struct
import time
from typing import BinaryIO, Final

_HEAD: Final = struct.Struct(">cI")
FRAME_BYTES: Final = 1 << 20
"""Content is cut into frames of at most this size."""

BOUNDS: Final = b"B"
REQUEST: Final = b"Q"
DATA: Final = b"D"
END: Final = b"E"
PROGRESS: Final = b"P"
FAILURE: Final = b"F"


class Broken(Exception):
    """The other side is gone or speaks nonsense."""


class Late(Exception):
    """The other side did not move in time."""


class Pipe:
    """The parent's ends of a child's pipes, non-blocking."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self._held = bytearray()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)

    def send(self, letter: bytes, data: bytes | memoryview, seconds: float) -> None:
        """Send a frame.

        Raises:
            Broken: the child is gone.
            Late: it took nothing for `seconds`.
        """
        self._write(_HEAD.pack(letter, len(data)), seconds)
        self._write(data, seconds)

    def receive(self, seconds: float) -> tuple[bytes, bytes]:
        """The next frame.

        Raises:
            Broken: the child is gone, or the frame is too large.
            Late: it did not come within `seconds`.
        """
        limit = time.monotonic() + seconds
        letter, length = _HEAD.unpack(self._take(_HEAD.size, limit))
        if length > FRAME_BYTES:
            raise Broken
        return letter, self._take(length, limit)

    def _take(self, count: int, limit: float) -> bytes:
        while len(self._held) < count:
            _wait(self._reading, select.POLLIN, limit)
            try:
                piece = os.read(self._reading, FRAME_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken from error
            if not piece:
                raise Broken
            self._held += piece
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def _write(self, data: bytes | memoryview, seconds: float) -> None:
        view = memoryview(data)
        while view:
            _wait(self._writing, select.POLLOUT, time.monotonic() + seconds)
            try:
                view = view[os.write(self._writing, view[:65_536]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken from error


def _wait(descriptor: int, event: int, limit: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = limit - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise Late


def write_frame(stream: BinaryIO, letter: bytes, data: bytes | memoryview = b"") -> None:
    """Send a frame from the child, in as many as its size needs, and flush."""
    view = memoryview(data)
    while True:
        piece = view[:FRAME_BYTES]
        stream.write(_HEAD.pack(letter, len(piece)))
        stream.write(piece)
        view = view[FRAME_BYTES:]
        if not view:
            break
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes]:
    """The next frame, in the child.

    Raises:
        Broken: the parent is gone.
    """
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise Broken
    letter, length = _HEAD.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise Broken
    return letter, data
