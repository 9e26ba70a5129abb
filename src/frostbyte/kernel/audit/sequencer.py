"""Gives events their place in the log and signs what it became.

Writers never wait for the log: they insert events, and one sequencer per plane numbers them afterwards. Numbering is
committed before anything is signed, so a signature can never speak of events that a crash takes back; a crash between
the two is made good by the next run, which signs whatever size the log has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.checkpoint import Signer, add_signature
from frostbyte.kernel.audit.events import event_leaf
from frostbyte.kernel.audit.proofs import tree_lookup, wait_for_checkpoint
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.unit_of_work import AuditUnitOfWork, AuditUnitOfWorkFactory
from frostbyte.kernel.ports.witness import Witness
from frostbyte.kernel.records import CheckpointRow, EventRow

BATCH: Final = 1000
"""Events between two checkpoints at most (the design's number)."""

INTERVAL_SECONDS: Final = 1.0
"""Time between an event and its checkpoint at most, while the log keeps up (the design's number)."""

WITNESS_PAUSE: Final = timedelta(seconds=30)
"""How long a witness that did not answer is left alone: one outage must not slow every checkpoint."""


class Sequencer:
    """The plane's only writer of the log; several may run, a lock lets one work.

    Args:
        unit_of_work: opens transactions.
        signer: the log's key.
        clock: for the times of checkpoints.
        witnesses: asked to cosign each checkpoint; one that cannot is skipped and listed in `trouble`.
        batch: events numbered in one transaction.
    """

    def __init__(
        self,
        unit_of_work: AuditUnitOfWorkFactory,
        signer: Signer,
        clock: Clock,
        witnesses: Sequence[Witness] = (),
        batch: int = BATCH,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._signer = signer
        self._clock = clock
        self._witnesses = tuple(witnesses)
        self._batch = batch
        self._paused: dict[str, datetime] = {}
        self._wake = threading.Event()
        self.told: Callable[[Sequence[EventRow]], None] = lambda events: None
        """Hears of all events, once each, when they are numbered: what counts is counted here, for all processes."""
        self.trouble: dict[str, str] = {}
        """By witness: the code of the error it last answered with; `sequencer`: its own. Empty while all is well."""

    def run_once(self) -> int:
        """Number one batch of events, commit, and sign a checkpoint over the log's size if it has none.

        Returns:
            How many events were numbered; 0 also when another sequencer is at work.
        """
        count = self._number()
        self._sign()
        return count

    def run(self, stop: threading.Event, interval: float = INTERVAL_SECONDS) -> None:
        """Run until `stop` is set: at once while there is a backlog, else every `interval` seconds or when woken.

        What goes wrong is listed in `trouble` under `sequencer` and tried again at the next turn: a log that stands
        still is seen, a thread that died would not be.
        """
        while not stop.is_set():
            try:
                count = self.run_once()
                self.trouble.pop("sequencer", None)
            except FrostbyteError as error:
                self.trouble["sequencer"] = error.code
                count = 0
            if count < self._batch:
                self._wake.wait(interval)
                self._wake.clear()

    def wake(self) -> None:
        """Have `run` take its next turn now (for those who wait for a checkpoint, and to stop promptly)."""
        self._wake.set()

    def wait_for_checkpoint(self, event_id: UUID, timeout: float) -> CheckpointRow:
        """The first checkpoint over the event.

        Raises:
            Unavailable: `checkpoint_pending`: none was signed within `timeout` seconds.
        """
        self.wake()
        return wait_for_checkpoint(self._unit_of_work, event_id, timeout)

    def _number(self) -> int:
        with self._unit_of_work() as uow:
            if not uow.audit.lock_sequencer():
                return 0
            events = uow.audit.unsequenced(self._batch)
            if not events:
                return 0
            size = uow.audit.log_size()
            leaves = [event_leaf(event) for event in events]
            nodes, _ = merkle.extend(size, _edge(uow, size), leaves)
            uow.audit.extend(size, [event.event_id for event in events], leaves)
            if nodes:
                uow.audit.put_nodes(nodes)
            uow.commit()
        self.told(events)
        return len(events)

    def _sign(self) -> None:
        """Sign the committed log, if its size has no checkpoint yet.

        The lock is held until the checkpoint is stored, so that two sequencers never sign for the same log at once.
        """
        with self._unit_of_work() as uow:
            if not uow.audit.lock_sequencer():
                return
            size = uow.audit.log_size()
            latest = uow.audit.latest_checkpoint()
            if size == 0 or (latest is not None and latest.size >= size):
                return
            root = merkle.fold(_edge(uow, size))
            note = self._signer.sign(size, root)
            for witness in self._witnesses:
                note = self._ask(witness, uow, note, size)
            uow.audit.add_checkpoint(CheckpointRow(size=size, root=root, note=note, created_at=self._clock.now()))
            uow.commit()

    def _ask(self, witness: Witness, uow: AuditUnitOfWork, note: str, size: int) -> str:
        """The note with the witness's cosignature, or as it was."""
        now = self._clock.now()
        if self._paused.get(witness.name, now) > now:
            return note
        try:
            line = self._cosignature(witness, uow, note, size)
        except FrostbyteError as error:
            self.trouble[witness.name] = error.code
            self._paused[witness.name] = now + WITNESS_PAUSE
            return note
        self.trouble.pop(witness.name, None)
        return add_signature(note, line)

    def _cosignature(self, witness: Witness, uow: AuditUnitOfWork, note: str, size: int) -> str:
        """Asks twice where the witness first had to say how much it has seen."""
        old = witness.last_size()
        try:
            return witness.cosign(note, old, self._proof(uow, old, size))
        except Unavailable:
            seen = witness.last_size()
            if seen == old:
                raise
            return witness.cosign(note, seen, self._proof(uow, seen, size))

    @staticmethod
    def _proof(uow: AuditUnitOfWork, old: int, size: int) -> list[bytes]:
        """Empty where the witness saw a larger log than ours: it will refuse, and must see that we asked."""
        return merkle.consistency_proof(old, size, tree_lookup(uow.audit)) if old <= size else []


def _edge(uow: AuditUnitOfWork, size: int) -> list[bytes]:
    """The complete subtrees that make up the log."""
    positions = merkle.pieces(0, size)
    nodes = tree_lookup(uow.audit)(positions)
    return [nodes[position] for position in positions]
