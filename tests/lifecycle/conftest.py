"""What keeps and erases documents, on stores in memory and by a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.lifecycle.erasure import Erasure
from frostbyte.data_plane.lifecycle.holds import Holds
from frostbyte.data_plane.lifecycle.retention import Retention
from frostbyte.data_plane.lifecycle.trusted_time import TrustedTime
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import DocumentRow, EventRow, State
from frostbyte.kernel.vault import TenantKeys, Vault

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = TenantKeys(id_key=b"i" * 32, term_key=b"t" * 32, wrapping_keys={1: b"w" * 32})


class NoVectors:
    """Takes what erasure asks of an index."""

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None: ...
    def flush(self) -> None: ...
    def compact(self) -> None: ...


@dataclass
class Keeping:
    """A plane as far as it keeps and forgets."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    seconds: float = 0.0
    """On the clock that is never set."""
    told: datetime | None = None
    most: int = 10_000

    def __post_init__(self) -> None:
        self.vault = Vault(MemoryBlobs(), KEYS)
        self.start()

    def start(self) -> None:
        """As a process that has just begun: nothing but the stores is left of the one before."""
        self.configuration = Configuration("acme", self.store.unit_of_work, self.clock)
        vectors: Any = NoVectors()
        self.erasure = Erasure(
            tenant_id="acme",
            unit_of_work=self.store.unit_of_work,
            vault=self.vault,
            blobs=self.vault.blobs,
            vectors=vectors,
            clock=self.clock,
        )
        self.time = TrustedTime(
            "acme", self.store.unit_of_work, self.clock, told=lambda: self.told, ticks=lambda: self.seconds
        )
        self.retention = Retention(
            tenant_id="acme",
            unit_of_work=self.store.unit_of_work,
            clock=self.clock,
            time=self.time,
            erasure=self.erasure,
            configuration=self.configuration,
            most=self.most,
        )
        self.holds = Holds("acme", self.store.unit_of_work, self.clock)

    def passes(self, **spans: float) -> None:
        """Time passes, and every clock shows it."""
        span = timedelta(**spans)
        self.clock.advance(span.total_seconds())
        self.seconds += span.total_seconds()

    def leaps(self, **spans: float) -> None:
        """The clock is set, and no time passes."""
        self.clock.advance(timedelta(**spans).total_seconds())

    def keep_for(self, days: int) -> None:
        """Configure retention."""
        version = self.configuration.show()["version"]
        self.configuration.change({"retention_days": days}, expected=version, actor="admin")

    def document(self, age: timedelta = timedelta()) -> UUID:
        """A document that came so long ago, with its key and its object."""
        doc_id = new_id()
        row = DocumentRow(
            doc_id=doc_id,
            incarnation=0,
            state=State.INDEXED,
            mime="text/plain",
            size=1,
            received_at=self.clock.now() - age,
            raw_object=f"raw/{doc_id}",
            key_object=f"keys/{doc_id}.0",
            sealed_name=b"",
            config_version=1,
        )
        self.vault.store_key(row.key_object, self.vault.new_key())
        self.vault.blobs.put(row.raw_object, b"sealed")
        with self.store.unit_of_work() as uow:
            uow.documents.put(row)
            uow.commit()
        return doc_id

    def erased(self, *doc_ids: UUID) -> list[bool]:
        """Which of them are, keys included."""
        with self.store.unit_of_work() as uow:
            rows = uow.documents.get_many(list(doc_ids))
        gone = [rows[doc_id].state is State.ERASED for doc_id in doc_ids]
        assert gone == [not self.vault.blobs.exists(f"keys/{doc_id}.0") for doc_id in doc_ids]
        return gone

    def events(self, *types: str) -> list[EventRow]:
        """Of these types, in order."""
        with self.store.unit_of_work() as uow:
            return [event for event in uow.audit.unsequenced(100_000) if event.type in types]


@pytest.fixture
def plane() -> Keeping:
    return Keeping()
