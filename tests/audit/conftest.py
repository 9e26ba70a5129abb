"""A plane's log in memory, with everything the audit tests need to grow and judge one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, chain, make_event
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import CheckpointRow, DocumentRow, EventRow, SequencedEvent, State

SEED = bytes(range(32))
ORIGIN = "acme.pipeline.frostbyte.io/audit"


class FixedClock:
    """A clock that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


class Log:
    """The audit part of a store: what is committed, and a rollback for what is not."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.order: list[UUID] = []
        self.leaves: list[bytes] = []
        self.inner: dict[tuple[int, int], bytes] = {}
        self.points: list[CheckpointRow] = []
        self.locked_elsewhere = False

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        saved = (list(self.rows), list(self.order), list(self.leaves), dict(self.inner), list(self.points))
        state = SimpleNamespace(done=False)
        try:
            yield SimpleNamespace(audit=self, commit=lambda: setattr(state, "done", True))
        finally:
            if not state.done:
                self.rows, self.order, self.leaves, self.inner, self.points = saved

    def append(self, event: EventRow) -> None:
        self.rows.append(event)

    def append_many(self, events: Sequence[EventRow]) -> None:
        self.rows.extend(events)

    def event(self, event_id: UUID) -> EventRow | None:
        return next((row for row in self.rows if row.event_id == event_id), None)

    def sequence_of(self, event_id: UUID) -> int | None:
        return self.order.index(event_id) if event_id in self.order else None

    def events(self, *, after_sequence: int = -1, limit: int = 100, **_: Any) -> list[SequencedEvent]:
        by_id = {row.event_id: row for row in self.rows}
        part = list(enumerate(self.order))[after_sequence + 1 : after_sequence + 1 + limit]
        return [SequencedEvent(sequence=number, event=by_id[event_id]) for number, event_id in part]

    def lock_sequencer(self) -> bool:
        return not self.locked_elsewhere

    def unsequenced(self, limit: int) -> list[EventRow]:
        known = set(self.order)
        return sorted((row for row in self.rows if row.event_id not in known), key=lambda row: row.event_id)[:limit]

    def log_size(self) -> int:
        return len(self.order)

    def extend(self, first: int, event_ids: Sequence[UUID], leaf_hashes: Sequence[bytes]) -> None:
        if first != len(self.order):
            raise Conflict("log_moved", "The log has another size.")
        self.order.extend(event_ids)
        self.leaves.extend(leaf_hashes)

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        return self.leaves[start:end]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        self.inner.update({(level, index): value for level, index, value in nodes})

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        return {position: self.inner[position] for position in wanted}

    def add_checkpoint(self, row: CheckpointRow) -> None:
        self.points.append(row)

    def latest_checkpoint(self) -> CheckpointRow | None:
        return self.points[-1] if self.points else None

    def checkpoint_covering(self, sequence: int) -> CheckpointRow | None:
        return next((row for row in self.points if row.size > sequence), None)

    def checkpoints(self, *, after_size: int = -1, limit: int = 100) -> list[CheckpointRow]:
        return [row for row in self.points if row.size > after_size][:limit]


class Plane:
    """Writes documents' events and sequences them."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.signer = Signer(SEED, ORIGIN)
        self.log = Log()
        self.unit_of_work: Any = self.log
        self.sequencer = Sequencer(self.log, self.signer, self.clock)
        self._documents = 0

    def document(self, steps: Sequence[EventType] | None = None) -> DocumentRow:
        """Append one document's chain (not yet sequenced) and return its row."""
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
        default = (EventType.DOCUMENT_INGESTED, EventType.DOCUMENT_SCANNED, EventType.DOCUMENT_PARSED)
        for type in steps or default:
            output = "" if type is EventType.DOCUMENT_SCANNED else digest(f"{doc_id}/{type}")
            event, row = chain(
                row,
                tenant_id="acme",
                type=type,
                clock=self.clock,
                actor="plane",
                details={"component": "test", "status": "ok"},
                output=output,
            )
            self.add(event)
        return row

    def lone(self) -> EventRow:
        """Append an event that belongs to no chain."""
        event = make_event(
            "acme", EventType.RETRIEVAL_EXECUTED, self.clock, "user-1", "plane", "acme", {"results": 3, "top_k": 5}
        )
        self.add(event)
        return event

    def add(self, event: EventRow) -> None:
        with self.unit_of_work() as uow:
            uow.audit.append(event)
            uow.commit()

    def grow(self, documents: int, runs: int = 1) -> None:
        """Documents, sequenced and checkpointed in `runs` steps."""
        for _ in range(runs):
            for _ in range(documents):
                self.document()
            self.sequencer.run_once()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
def small_plane() -> Plane:
    """Three checkpoints over 27 events."""
    made = Plane()
    made.grow(3, runs=3)
    return made
