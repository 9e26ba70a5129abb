"""Tables in memory with transactions: read committed, row locks until the end, all or nothing.

The rules are PostgreSQL's as far as the port shows them: what others committed is visible at once, what is open is
visible only to itself, and whoever writes a row that another transaction has written waits for its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable
from frostbyte.kernel.ports.unit_of_work import only_reading
from frostbyte.kernel.records import Row

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Row)

WAIT_SECONDS: Final = 10.0
"""Two transactions that wait for each other end after this long instead of never."""


class Locks:
    """Locks by name, each held by one transaction until its end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owners: dict[Hashable, object] = {}
        self._sharers: dict[Hashable, set[object]] = {}

    def take(self, name: Hashable, owner: object, *, wait: bool = True) -> bool:
        """Whether `owner` holds the lock now; taking it twice is once.

        Raises:
            Unavailable: `database_busy` after `WAIT_SECONDS`.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while self._sharers.get(name, set()) - {owner} or self._owners.setdefault(name, owner) is not owner:
                if not wait:
                    return False
                self._wait(deadline)
        return True

    def share(self, name: Hashable, owner: object) -> None:
        """Hold the lock beside others who share it. Raises as `take`."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while self._owners.get(name, owner) is not owner:
                self._wait(deadline)
            self._sharers.setdefault(name, set()).add(owner)

    def _wait(self, deadline: float) -> None:
        if not self._changed.wait(deadline - time.monotonic()):
            raise Unavailable("database_busy", "The database was busy with the same rows.", "Try again.")

    def release(self, owner: object) -> None:
        """Let go of everything that `owner` holds."""
        with self._changed:
            self._owners = {name: held for name, held in self._owners.items() if held is not owner}
            self._sharers = {name: left for name, held in self._sharers.items() if (left := held - {owner})}
            self._changed.notify_all()


class Database:
    """What was committed. Named tables of rows."""

    def __init__(self) -> None:
        self.locks = Locks()
        self.mutex = threading.RLock()
        self.tables: dict[str, dict[Any, Any]] = {}


class Transaction:
    """What one unit of work changed and has not committed."""

    def __init__(self, database: Database, *, reading: bool = False) -> None:
        self.database = database
        self.reading = reading
        self.open = True
        self.written: dict[str, dict[Any, Any]] = {}

    def lock(self, *name: Hashable, wait: bool = True) -> bool:
        """Take a lock until the end of the transaction."""
        self.check(changing=True)
        return self.database.locks.take(name, self, wait=wait)

    def share(self, *name: Hashable) -> None:
        """Hold a lock beside others who share it, until the end of the transaction."""
        self.check(changing=True)
        self.database.locks.share(name, self)

    def check(self, *, changing: bool = False) -> None:
        """Raises FrostbyteError: `unit_of_work_closed` after the end, `unit_of_work_reading` for a change."""
        if changing and self.reading:
            raise only_reading()
        if not self.open:
            raise FrostbyteError(
                "unit_of_work_closed", "The transaction was ended already.", "Open another unit of work."
            )

    def commit(self) -> None:
        """Apply all changes at once."""
        self.check(changing=True)
        with self.database.mutex:
            for name, rows in self.written.items():
                table = self.database.tables.setdefault(name, {})
                for key, row in rows.items():
                    if row is None:
                        table.pop(key, None)
                    else:
                        table[key] = row
        self.end()

    def end(self) -> None:
        """Forget what was not committed. Idempotent."""
        self.open = False
        self.written = {}
        self.database.locks.release(self)


class Table(Generic[K, R]):
    """One table as one transaction sees it."""

    def __init__(self, transaction: Transaction, name: str, key: Callable[[R], K]) -> None:
        self._transaction = transaction
        self._name = name
        self._key = key

    def get(self, key: K, *, lock: bool = False) -> R | None:
        """The row, or None. With `lock`, a row that is there is held first."""
        found = self._look(key)
        if found is None or not lock:
            return found
        self._transaction.lock(self._name, key)
        return self._look(key)

    def claim(self, key: K) -> R | None:
        """The row, held, if nobody else holds it; else None."""
        return self._look(key) if self._transaction.lock(self._name, key, wait=False) else None

    def put(self, row: R) -> None:
        """Insert or replace."""
        key = self._key(row)
        self._transaction.lock(self._name, key)
        self._changes()[key] = _settled(row)

    def insert(self, row: R, code: str = "row_exists", message: str = "The row exists already.") -> None:
        """Insert.

        Raises:
            Conflict: `code` where a row with this key exists, once whoever is writing it has ended.
        """
        key = self._key(row)
        self._transaction.lock(self._name, key)
        if self._look(key) is not None:
            raise Conflict(code, message, "Use the one that is there.")
        self._changes()[key] = _settled(row)

    def delete(self, key: K) -> None:
        """Remove the row if it is there."""
        if self.get(key, lock=True) is not None:
            self._changes()[key] = None

    def rows(self) -> list[R]:
        """All rows, in no order."""
        self._transaction.check()
        with self._transaction.database.mutex:
            merged = self._transaction.database.tables.get(self._name, {}) | self._changes()
        return [row for row in merged.values() if row is not None]

    def _look(self, key: K) -> R | None:
        self._transaction.check()
        changes = self._changes()
        if key in changes:
            return changes[key]
        with self._transaction.database.mutex:
            return self._transaction.database.tables.get(self._name, {}).get(key)

    def _changes(self) -> dict[K, R | None]:
        return self._transaction.written.setdefault(self._name, {})


def _settled(row: R) -> R:
    """The row with its JSON values as a database gives them back: copied, and tuples as lists."""
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    changed = {
        name: msgspec.json.decode(msgspec.json.encode(value))
        for name, value in values.items()
        if isinstance(value, dict)
    }
    return replace(row, **changed) if changed else row
