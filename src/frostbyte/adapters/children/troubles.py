"""What can go wrong with a child, told in the words of the work it does; and errors on their way through a pipe."""

from __future__ import annotations

from typing import Protocol

import msgspec

from frostbyte.data_plane.document import Record
from frostbyte.kernel.errors import FrostbyteError, NotFound, StageFailed, Unavailable

_LONGEST = 300
"""Characters of a message or remedy that are taken over from a child."""


class Bounds(Record, frozen=True, kw_only=True):
    """What the operating system holds a child to."""

    memory: int = 4 << 30
    """Bytes of address space."""
    cpu_seconds: int = 3_600
    """Processor time for one document."""


class Troubles(Protocol):
    """The failures that only a pool can see. None of them holds content."""

    @property
    def codes(self) -> frozenset[str]:
        """Codes of failures that a child may send."""
        ...

    def crashed(self, where: str) -> StageFailed: ...
    def out_of_memory(self) -> StageFailed: ...
    def timed_out(self, seconds: float) -> StageFailed: ...
    def too_slow(self, seconds: float) -> StageFailed: ...
    def output_too_large(self, limit: int) -> StageFailed: ...
    def not_started(self) -> Unavailable: ...
    def shut_down(self) -> Unavailable: ...


class Failure(Record, frozen=True, kw_only=True):
    """An error on its way from a child. A child may be hostile: lengths are bounded, the code is checked."""

    code: str
    message: str
    remedy: str
    kind: str = "failed"
    """`failed` for a `StageFailed`, `missing` for a `NotFound`, `waits` for an `Unavailable`."""


_KINDS: dict[str, type[FrostbyteError]] = {"failed": StageFailed, "missing": NotFound, "waits": Unavailable}


def encode_failure(error: FrostbyteError) -> bytes:
    """The error as a child sends it."""
    kind = next((name for name, class_ in _KINDS.items() if isinstance(error, class_)), "failed")
    return msgspec.json.encode(Failure(code=error.code, message=error.message, remedy=error.remedy, kind=kind))


def decode_failure(data: bytes, troubles: Troubles) -> FrostbyteError:
    """The error that a child sent; a crash if it is none of those that its work raises."""
    try:
        failure = msgspec.json.decode(data, type=Failure)
    except msgspec.DecodeError:
        return troubles.crashed("an unreadable answer")
    too_long = len(failure.message) > _LONGEST or len(failure.remedy) > _LONGEST
    if failure.code not in troubles.codes or failure.kind not in _KINDS or too_long:
        return troubles.crashed("an unexpected answer")
    return _KINDS[failure.kind](failure.code, failure.message, failure.remedy)
