"""A part of a store, as a store: every name begins with the same folders."""

from __future__ import annotations

from collections.abc import Iterator

from frostbyte.kernel.object_names import check_object_name
from frostbyte.kernel.ports.blobs import BlobStore, BlobWriter


class PrefixedBlobs:
    """See kernel.ports.blobs.BlobStore.

    Args:
        store: all of it.
        prefix: `folder/folder`, without a slash at its ends.
    """

    def __init__(self, store: BlobStore, prefix: str) -> None:
        check_object_name(f"{prefix}/x")
        self._store, self._prefix = store, f"{prefix}/"

    def writer(self, name: str) -> BlobWriter:
        """An object to be written bit by bit."""
        return self._store.writer(self._named(name))

    def put(self, name: str, data: bytes) -> None:
        """Store or replace an object."""
        self._store.put(self._named(name), data)

    def get(self, name: str) -> bytes:
        """The whole object."""
        return self._store.get(self._named(name))

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`."""
        return self._store.get_range(self._named(name), start, length)

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        """Its first `length` bytes and the size of all of it."""
        return self._store.head(self._named(name), length)

    def size(self, name: str) -> int:
        """Its bytes."""
        return self._store.size(self._named(name))

    def exists(self, name: str) -> bool:
        """Whether it is there."""
        return self._store.exists(self._named(name))

    def delete(self, name: str) -> None:
        """Remove it; idempotent."""
        self._store.delete(self._named(name))

    def names(self, prefix: str) -> Iterator[str]:
        """Sorted names that start with `prefix`, below this store's own."""
        for name in self._store.names(self._prefix + prefix):
            yield name.removeprefix(self._prefix)

    def age_seconds(self, name: str) -> float:
        """Seconds since it was written."""
        return self._store.age_seconds(self._named(name))

    def _named(self, name: str) -> str:
        return self._prefix + check_object_name(name)
