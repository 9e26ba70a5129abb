"""The collection that serves, and another that is made beside it for another model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from msgspec.structs import replace

from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, Scope, SparseVector, VectorStore


class TwoCollections:
    """See kernel.ports.vectors.Collections.

    Args:
        open: opens or makes the collection of a name; '' is the first one's.
        remove: deletes a closed collection of that name, or what is in it.
        serving: name of the one that answers.
        listed: names of those that exist.
        release: lets go of what all collections share; called once, when this is closed.
    """

    def __init__(
        self,
        open: Callable[[str], VectorStore],
        remove: Callable[[str], None],
        *,
        serving: str = "",
        listed: Callable[[], Sequence[str]] = tuple,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._open = open
        self._remove = remove
        self._listed = listed
        self._release = release
        self._name = serving
        self._serving = open(serving)
        self._next: tuple[str, VectorStore] | None = None
        self._epoch = 0
        self._turning = threading.Lock()

    @property
    def building(self) -> bool:
        """Whether a collection is being made beside the one that serves."""
        return self._next is not None

    @property
    def epoch(self) -> int:
        """Raised by each switch; waits while one is under way."""
        with self._turning:
            return self._epoch

    @property
    def names(self) -> tuple[str, str]:
        """Of the collection that serves, and of the one that is made; '' for the first one, and for none."""
        after = self._next
        return self._name, after[0] if after else ""

    def follow(self, names: tuple[str, str]) -> None:
        """Be as the database says: for a process that leaves beginning and switching to another."""
        serving, making = names
        with self._turning:
            if serving != self._name:
                self._serving.close()
                if self._next is not None and self._next[0] == serving:
                    self._serving, self._next = self._next[1], None
                else:
                    self._serving = self._open(serving)
                self._name = serving
                self._epoch += 1
            if self._next is not None and self._next[0] != making:
                self._next[1].close()
                self._next = None
            if making and self._next is None:
                self._next = (making, self._open(making))

    def begin(self, name: str) -> None:
        """Make a collection of this name beside the one that serves, or open it again."""
        with self._turning:
            if name != self._name and (self._next is None or self._next[0] != name):
                self._next = (name, self._open(name))

    def switch(self, commit: Callable[[], None]) -> None:
        """Commit, and let the new collection serve from then on; the old one is removed."""
        with self._turning:
            if self._next is None:
                raise ValueError("there is nothing to switch to")
            old_name, old = self._name, self._serving
            self._next[1].flush()
            commit()
            self._name, self._serving = self._next
            self._next = None
            self._epoch += 1
        old.close()
        self._remove(old_name)

    def sweep(self, names: tuple[str, str]) -> None:
        """Remove collections other than these: a kill, or a process that had not heard of a switch, left them."""
        serving, making = names
        for name in self._listed():
            if name not in (serving, making or serving):  # '' is none there, and the first collection here
                self._remove(name)

    @property
    def _all(self) -> list[VectorStore]:
        after = self._next
        return [self._serving] if after is None else [self._serving, after[1]]

    @property
    def _written(self) -> VectorStore:
        return self._all[-1]

    @property
    def spec(self) -> CollectionSpec | None:
        """What the collection that serves was made for; None while there is none."""
        return self._serving.spec

    def ensure(self, spec: CollectionSpec) -> None:
        """Make or check the one that is written. Raises Conflict("embedding_mismatch")."""
        self._written.ensure(spec)

    def upsert(self, points: Sequence[Point]) -> None:
        """Write into the one that is made, or the only one."""
        self._written.upsert(points)

    def words(self, points: Sequence[Point]) -> None:
        """Write points without their vectors into the one that serves."""
        if self._serving.spec is not None:
            self._serving.upsert([replace(point, dense=(), pieces=()) for point in points])

    def flush(self) -> None:
        """Make all writes durable."""
        for store in self._all:
            store.flush()

    def search(
        self, dense: Sequence[float] | None, sparse: SparseVector | None, *, limit: int, scope: Scope | None = None
    ) -> list[Hit]:
        """Best first, of the one that serves."""
        return self._serving.search(dense, sparse, limit=limit, scope=scope)

    def label(self, doc_id: UUID, labels: Sequence[str]) -> None:
        """Replace a document's labels in both."""
        for store in self._all:
            store.label(doc_id, labels)

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points from both."""
        for store in self._all:
            store.delete_document(doc_id, except_generation=except_generation)

    def count(self, doc_id: UUID | None = None) -> int:
        """Points in both."""
        return sum(store.count(doc_id) for store in self._all)

    def compact(self) -> None:
        """Let deleted vectors leave the live segments of both."""
        for store in self._all:
            store.compact()

    def close(self) -> None:
        """Close both, and what they share."""
        for store in self._all:
            store.close()
        if self._release is not None:
            self._release()
