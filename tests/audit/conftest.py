"""A plane's log in memory, with everything the audit tests need to grow and judge one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, chain, make_event
from frostbyte.kernel.audit.logs import begin_next
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.records import DocumentRow, EventRow, State

SEED = bytes(range(32))
ORIGIN = "acme.pipeline.frostbyte.io/audit"
STEPS = (EventType.DOCUMENT_INGESTED, EventType.DOCUMENT_SCANNED, EventType.DOCUMENT_PARSED)


class SteppingClock:
    """A clock that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


class Plane:
    """Writes documents' events and sequences them."""

    def __init__(self) -> None:
        self.clock = SteppingClock()
        self.signer = Signer(SEED, ORIGIN)
        self.unit_of_work: Any = MemoryStore().unit_of_work
        self.sequencer = Sequencer(self.unit_of_work, self.signer, self.clock)
        self._documents = 0

    def chain(self, steps: Sequence[EventType] = STEPS) -> list[EventRow]:
        """The events of a new document, not stored yet."""
        self._documents += 1
        doc_id = UUID(int=0x80000000000080008000000000000000 + self._documents)
        row = DocumentRow(
            doc_id=doc_id,
            incarnation=0,
            state=State.RECEIVED,
            mime="text/plain",
            size=10,
            received_at=self.clock.now(),
            raw_object="raw/x",
            key_object="keys/x",
            sealed_name=b"",
            config_version=1,
        )
        events = []
        for type in steps:
            event, row = chain(
                row,
                tenant_id="acme",
                type=type,
                clock=self.clock,
                actor="plane",
                details={"component": "test", "status": "ok"},
                output="" if type is EventType.DOCUMENT_SCANNED else digest(f"{doc_id}/{type}"),
            )
            events.append(event)
        return events

    def lone(self) -> EventRow:
        """Store an event that belongs to no chain."""
        event = make_event(
            "acme", EventType.RETRIEVAL_EXECUTED, self.clock, "user-1", "plane", "acme", {"results": 3, "top_k": 5}
        )
        self.add([event])
        return event

    def add(self, events: Sequence[EventRow]) -> None:
        with self.unit_of_work() as uow:
            uow.audit.append_many(events)
            uow.commit()

    def grow(self, documents: int, runs: int = 1) -> None:
        """Documents, sequenced and checkpointed in `runs` steps."""
        for _ in range(runs):
            for _ in range(documents):
                self.add(self.chain())
            self.sequencer.run_once()

    def set_back(self, size: int) -> None:
        """What restoring an old copy of the store does: the log ends after `size` events, a checkpoint's size."""
        with self.unit_of_work() as uow:
            events = [item.event for item in uow.audit.events(limit=size)]
        self.unit_of_work = MemoryStore().unit_of_work
        self.sequencer = Sequencer(self.unit_of_work, self.signer, self.clock)
        self.add(events)
        self.sequencer.run_once()

    def restore(self) -> None:
        """What an import does with the log: it ends, and another one begins, under a new key and a name of its own."""
        with self.unit_of_work() as uow:
            begin_next(
                uow,
                tenant_id="acme",
                public_key=self.signer.verifier_key,
                clock=self.clock,
                actor="operator",
                details={"documents": self._documents},
            )
            uow.commit()
        number = self.signer.origin.count("/") + 1
        self.signer = Signer(bytes([number]) * 32, f"{self.signer.origin}/{number}")
        self.sequencer = Sequencer(self.unit_of_work, self.signer, self.clock)
        self.sequencer.run_once()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="session")
def plane_type() -> type[Plane]:
    """For tests that need a fresh plane for each example."""
    return Plane


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
def small_plane() -> Plane:
    """Three checkpoints over 27 events."""
    made = Plane()
    made.grow(3, runs=3)
    return made
