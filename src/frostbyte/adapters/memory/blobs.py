"""Objects in memory: the stand-in for tests and demonstrations; it passes the suite of the real stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.object_names import check_object_name


class MemoryBlobs:
    """A blob store that forgets everything when the process ends.

    Args:
        seconds: tells the time in seconds, for `age_seconds`.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, float]] = {}

    def writer(self, name: str) -> MemoryBlobWriter:
        """An object to be written bit by bit; visible after `commit()`."""
        return MemoryBlobWriter(self, check_object_name(name))

    def put(self, name: str, data: bytes) -> None:
        """Store or replace an object."""
        with self._lock:
            self._objects[check_object_name(name)] = (bytes(data), self._seconds())

    def get(self, name: str) -> bytes:
        """The whole object. Raises NotFound("object_missing")."""
        return self._find(name)[0]

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`. Raises NotFound("object_missing")."""
        return self._find(name)[0][start : start + length]

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        """Its first `length` bytes and the size of all of it. Raises NotFound("object_missing")."""
        found = self._find(name)[0]
        return found[:length], len(found)

    def size(self, name: str) -> int:
        """Its bytes. Raises NotFound("object_missing")."""
        return len(self._find(name)[0])

    def exists(self, name: str) -> bool:
        """Whether it is there."""
        with self._lock:
            return check_object_name(name) in self._objects

    def delete(self, name: str) -> None:
        """Remove it; idempotent."""
        with self._lock:
            self._objects.pop(check_object_name(name), None)

    def names(self, prefix: str) -> Iterator[str]:
        """Sorted names that start with `prefix`, as they are now."""
        with self._lock:
            found = sorted(n for n in self._objects if n.startswith(prefix))
        yield from found

    def age_seconds(self, name: str) -> float:
        """Seconds since it was written. Raises NotFound("object_missing")."""
        return self._seconds() - self._find(name)[1]

    def _find(self, name: str) -> tuple[bytes, float]:
        with self._lock:
            found = self._objects.get(check_object_name(name))
        if found is None:
            raise NotFound("object_missing", "The stored object is not there.", "Restore it from a backup.")
        return found


class MemoryBlobWriter:
    """An object being written."""

    def __init__(self, store: MemoryBlobs, name: str) -> None:
        self._store = store
        self._name = name
        self._parts: list[bytes] = []
        self._open = True

    def write(self, data: bytes) -> None:
        """Add bytes. Raises Conflict after the end."""
        if not self._open:
            raise Conflict("writer_closed", "This object was already finished or dropped.", "Open a new writer.")
        self._parts.append(bytes(data))

    def commit(self) -> None:
        """Make it visible. Raises Conflict after the end."""
        self.write(b"")
        self._open = False
        self._store.put(self._name, b"".join(self._parts))

    def __enter__(self) -> MemoryBlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._parts.clear()
