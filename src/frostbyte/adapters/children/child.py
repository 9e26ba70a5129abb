"""The inside of a child: bounded by the operating system, without secrets, gone when its parent is.

Each kind of work has a module that a pool starts with `python -m` and that calls `serve`; they speak frames over stdin
and stdout.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

from frostbyte.adapters.children import frames
from frostbyte.adapters.children.troubles import Bounds, Troubles, encode_failure
from frostbyte.kernel.errors import FrostbyteError

Perform = Callable[[bytes, bytearray, Callable[[], None]], bytes]
"""(request, content, progress) to the answer; raises FrostbyteError alone, and tells of progress now and then."""

_PROGRESS_SECONDS: Final = 0.5
"""At most so often the parent is told of progress."""
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


def serve(reading: BinaryIO, writing: BinaryIO, perform: Perform, troubles: Troubles) -> None:
    """Answer requests one after the other with what `perform` returns or raises."""
    _follow_parent(os.getppid())
    try:
        letter, data = frames.read_frame(reading)
        if letter != frames.BOUNDS:
            return
        bounds = msgspec.json.decode(data, type=Bounds)
        confine(bounds)
        while True:
            request, content = _receive(reading)
            _renew_cpu(bounds)
            _answer(writing, perform, troubles, request, content)
    except (frames.Broken, BrokenPipeError):
        return


def confine(bounds: Bounds) -> None:
    """Give up what a parser never needs: files, core dumps, privileges, memory without end."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_AS, bounds.memory)
    with contextlib.suppress(OSError, AttributeError):  # Linux only, and only a second line of defence
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _renew_cpu(bounds: Bounds) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + bounds.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _receive(reading: BinaryIO) -> tuple[bytes, bytearray]:
    parts: list[bytes] = []
    content = bytearray()
    while True:
        letter, data = frames.read_frame(reading)
        if letter == frames.REQUEST:
            parts.append(data)
        elif letter == frames.DATA:
            content += data
        else:
            return b"".join(parts), content


def _answer(writing: BinaryIO, perform: Perform, troubles: Troubles, request: bytes, content: bytearray) -> None:
    last = 0.0

    def progress() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            frames.write_frame(writing, frames.PROGRESS)

    try:
        result = perform(request, content, progress)
    except FrostbyteError as error:
        frames.write_frame(writing, frames.FAILURE, encode_failure(error))
        return
    except MemoryError:
        frames.write_frame(writing, frames.FAILURE, encode_failure(troubles.out_of_memory()))
        return
    frames.write_frame(writing, frames.DATA, result)
    frames.write_frame(writing, frames.END)


def private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our ends of the pipes, moved away from 0 and 1, where a library may read or print."""
    reading = os.fdopen(os.dup(0), "rb")
    writing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - lives as long as the process
    return reading, writing


def _follow_parent(parent: int) -> None:
    """End with the parent, even in the middle of a document. (PR_SET_PDEATHSIG follows the thread, not the process.)"""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
