"""Objects: encrypted bytes under names made of ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol


class BlobWriter(Protocol):
    """An object being written. Leaving the `with` block without `commit()` removes what was written."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Make the object durable (fsync of file and folder) and visible under its name, atomically."""
        ...

    def __enter__(self) -> BlobWriter: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class BlobStore(Protocol):
    """Where objects live. Names are `folder/part/part` of `[A-Za-z0-9._-]`.

    Raises `NotFound("object_missing")` for a name that is not there, `Unavailable("objects_unavailable")` when the
    store cannot be reached and `Unavailable("disk_full")` when there is no room.
    """

    def writer(self, name: str) -> BlobWriter: ...
    def put(self, name: str, data: bytes) -> None:
        """Durable and atomic; replaces."""
        ...

    def get(self, name: str) -> bytes: ...
    def get_range(self, name: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`; fewer at the end."""
        ...

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        """Its first `length` bytes (fewer if it is shorter; at least 1 is asked for) and the size of all of it."""
        ...

    def size(self, name: str) -> int: ...
    def exists(self, name: str) -> bool: ...
    def delete(self, name: str) -> None:
        """Idempotent; gone durably when it returns."""
        ...

    def names(self, prefix: str) -> Iterator[str]: ...
    def age_seconds(self, name: str) -> float:
        """Seconds since it was written, by the store's clock."""
        ...


class Heads(Protocol):
    """Reads the beginnings of many objects of one store. Safe to use from several threads."""

    def heads(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """What `BlobStore.head` says of each, and None of what is not there. Raises as the store, but not NotFound."""
        ...
