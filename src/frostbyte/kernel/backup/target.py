"""The place of a backup: a store that may be full, slow, gone, or say that it holds what it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound, Unavailable
from frostbyte.kernel.ports.blobs import BlobStore

_T = TypeVar("_T")
_SAID: Final = {
    "disk_full": (
        "backup_target_full",
        "The backup's target has no room left, so this backup was not finished. Earlier backups are whole.",
        "Enlarge it, or keep fewer backups; the next run goes on with what is there already.",
    ),
    "objects_unavailable": (
        "backup_target_away",
        "The backup's target cannot be used now.",
        "See that its server, or its folder, can be reached from here (and is named to the egress proxy); the next run "
        "goes on with what is there already.",
    ),
    "objects_refused": (
        "backup_target_refused",
        "The backup's target refused the credentials.",
        "Correct FROSTBYTE_BACKUP_ACCESS_KEY and FROSTBYTE_BACKUP_SECRET_KEY.",
    ),
    "bucket_missing": (
        "backup_target_missing",
        "The backup's target has no bucket of this name.",
        "Create it there, without versions and without a lock on objects, or correct FROSTBYTE_BACKUP_URL.",
    ),
}


class Target:
    """What a repository asks of its store. Threads may share it.

    Every method raises `Unavailable`: `backup_target_full`, `backup_target_away`, `backup_target_refused`,
    `backup_target_missing`.

    Args:
        store: of the repository alone.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    @staticmethod
    def guarded(call: Callable[[], _T]) -> _T:
        """The result of a call to a store, with its errors in a target's words."""
        with _translated():
            return call()

    def put(self, name: str, data: bytes) -> None:
        """Durable, atomic, replaces. The store is asked whether it has all of it.

        Raises:
            Unavailable: `backup_target_lies`.
        """
        with _translated():
            self._store.put(name, data)
            try:
                size = self._store.size(name)
            except NotFound:
                size = -1
        if size != len(data):
            raise lies()

    def put_proven(self, name: str, data: bytes) -> None:
        """The same for what is small and all else hangs on: it is read again. Raises as `put`."""
        self.put(name, data)
        with _translated():
            same = hashlib.sha256(self._store.get(name)).digest() == hashlib.sha256(data).digest()
        if not same:
            raise lies()

    def get(self, name: str) -> bytes:
        """All of it. Raises NotFound("object_missing")."""
        with _translated():
            return self._store.get(name)

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        """Its first bytes and its size. Raises NotFound("object_missing")."""
        with _translated():
            return self._store.head(name, length)

    def names(self, prefix: str) -> Iterator[str]:
        """Sorted names that start with `prefix`."""
        with _translated():
            yield from self._store.names(prefix)

    def delete(self, name: str) -> None:
        """Idempotent; gone when it returns.

        Raises:
            Unavailable: `backup_target_lies`: it is still there.
        """
        with _translated():
            self._store.delete(name)
            if self._store.exists(name):
                raise lies()

    def age_seconds(self, name: str) -> float:
        """Seconds since it was written, by the target's clock. Raises NotFound("object_missing")."""
        with _translated():
            return self._store.age_seconds(name)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        if error.code not in _SAID:
            raise
        raise Unavailable(*_SAID[error.code]) from error


def lies() -> Unavailable:
    """The error for a target that does not hold what it said it took, or holds what it said it removed."""
    return Unavailable(
        "backup_target_lies",
        "The backup's target said that it had done what it has not: what was written there is not what is there.",
        "Do not rely on this target; look at its disk and its settings (versions, locks, gateways), or name another.",
    )


def damaged(what: str) -> FrostbyteError:
    """The error for a repository in which something is not as it was written.

    Args:
        what: the sentence's subject, without ids.
    """
    return Invalid(
        "backup_damaged",
        f"The backup is damaged: {what} is missing, cut or changed.",
        "Take another snapshot (`frostbyte plane backup list` tells which were verified); a new backup stores again "
        "what is lost, as long as the plane has it.",
    )


def foreign(why: str) -> Conflict:
    """The error for a repository that is another's."""
    return Conflict(
        "backup_foreign",
        f"This target holds the backup of somebody else: {why}.",
        "Name a place of its own for each tenant (FROSTBYTE_BACKUP_URL with a folder of its own).",
    )
