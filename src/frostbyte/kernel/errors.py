"""The one family of errors that people and programs see.

Every error has a stable `code` for programs, a sentence that says what happened and why, and a `remedy` that
says what to do. None of them may carry document text, a file name, a query or a secret (promise 10).
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What sort of trouble it is; the edges (HTTP, CLI) map a kind to a status or an exit code."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    GONE = "gone"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class FrostbyteError(Exception):
    """Base of all errors that leave a component.

    Args:
        code: stable, snake_case; listed in docs/errors.md.
        message: what happened and why, for a person.
        remedy: what the person can do about it.
        kind: the sort of trouble.
    """

    kind: Kind = Kind.INTERNAL

    def __init__(self, code: str, message: str, remedy: str = "", *, kind: Kind | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        if kind is not None:
            self.kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.message, self.remedy, self.kind))


def _rebuild(cls: type[FrostbyteError], code: str, message: str, remedy: str, kind: Kind) -> FrostbyteError:
    error = cls.__new__(cls)
    FrostbyteError.__init__(error, code, message, remedy, kind=kind)
    return error


class Invalid(FrostbyteError):
    """The caller sent something that can never work as it is."""

    kind = Kind.INVALID


class Unauthenticated(FrostbyteError):
    """No valid token."""

    kind = Kind.UNAUTHENTICATED


class Forbidden(FrostbyteError):
    """A valid token that does not allow this."""

    kind = Kind.FORBIDDEN


class NotFound(FrostbyteError):
    """No such thing, or none that this caller may know of."""

    kind = Kind.NOT_FOUND


class Conflict(FrostbyteError):
    """The state of things does not allow it now."""

    kind = Kind.CONFLICT


class Unavailable(FrostbyteError):
    """A server or gate cannot answer now: the work waits and is tried again (promise 2)."""

    kind = Kind.UNAVAILABLE


class StageFailed(FrostbyteError):
    """A document can never pass this stage: it ends `failed` with this code, and the next one is served."""

    kind = Kind.INVALID


class LeaseLost(Conflict):
    """Another worker holds the job now, or the document moved on: whatever was computed is discarded."""

    def __init__(self) -> None:
        super().__init__("lease_lost", "This work was taken over or is out of date.", "Nothing to do.")
