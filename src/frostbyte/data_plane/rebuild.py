"""Making the index anew beside the one that answers, when the embedder, the rules or the configuration changed.

A rebuild sends every document through the stages again, from parsing on, a few at a time, so that new documents wait
for a few at most. Until a document is through, its old passages answer. With the same model each document is switched
by the commit that ends it. Another model's vectors cannot lie in the same collection: then a second one is filled, and
one commit switches all documents and the collection together.

Everything that a rebuild knows is in the database: which one is open, and which documents went through it. Killed at
any moment, it goes on where it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from frostbyte.data_plane.flow import Flow, Ports
from frostbyte.kernel.audit.events import EventType, chain, make_event
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentRow, JobRow, RebuildCounts, RebuildRow, Stage, State

AT_ONCE: Final = 4
"""Documents of a rebuild under way at once: a new document waits behind so many at most."""
_RECENT: Final = timedelta(minutes=5)
"""What the rate is taken from: documents differ, and a night's pause is no rate."""
_FORGET: Final = 10_000


class Rebuild:
    """Starts, feeds, ends and describes rebuilds."""

    def __init__(self, ports: Ports, flow: Flow, *, at_once: int = AT_ONCE) -> None:
        self._p = ports
        self._flow = flow
        self._at_once = at_once

    def start(self, *, actor: str) -> dict[str, Any]:
        """Begin one; what is at rest already under today's versions is passed over.

        Raises:
            Conflict: `rebuild_running`.
        """
        rebuild_id = new_id()
        spec = self._p.vectors.spec
        beside = spec is not None and spec != self._p.embedder.spec
        with self._p.unit_of_work() as uow:
            open = uow.rebuilds.latest()
            if open is not None and open.finished_at is None:
                raise Conflict("rebuild_running", "The index is being rebuilt already.", "Wait until it is through.")
            row = RebuildRow(
                rebuild_id=rebuild_id,
                started_at=self._p.clock.now(),
                actor=actor,
                # Counted, never used again: who has not heard of a switch cannot write into a later collection.
                collection=str(uow.rebuilds.beside() + 1) if beside else "",
            )
            uow.rebuilds.put(row)
            self._audit(uow, row, actor, "started")
            uow.commit()
        self.resume()
        return self.status()

    def resume(self) -> None:
        """Open the collection that an unfinished rebuild fills; for the start of a plane."""
        with self._p.unit_of_work() as uow:
            row = uow.rebuilds.latest()
        if row is not None and row.finished_at is None and row.collection:
            self._p.vectors.begin(row.collection)

    def sweep(self) -> None:
        """Remove collections that neither serve nor are filled."""
        with self._p.unit_of_work() as uow:
            self._p.vectors.sweep(uow.rebuilds.collections(hold=True))

    def step(self) -> bool:
        """Send on as many documents as there is room for, and end the rebuild when all are through.

        Returns:
            whether a rebuild is still under way.
        """
        with self._p.unit_of_work() as uow:
            row = uow.rebuilds.latest()
            if row is None or row.finished_at is not None:
                uow.rebuilds.forget_replaced(_FORGET)
                uow.commit()
                return False
            counts = uow.rebuilds.counts(row.rebuild_id, self._p.clock.now())
            found = uow.rebuilds.pending(row.rebuild_id, max(self._at_once - counts.running, 0))
        for document in found:
            self._send(row, document)
        if not found and counts.pending == counts.running == 0 and not (row.collection and counts.failed):
            self._finish(row, actor="plane")
            return False
        return True

    def finish(self, *, actor: str) -> dict[str, Any]:
        """Switch although documents failed: they are not found from then on, until they are tried again.

        Raises:
            Conflict: `rebuild_not_running`; `rebuild_not_through`: documents are still to come.
        """
        with self._p.unit_of_work() as uow:
            row = uow.rebuilds.latest()
            counts = uow.rebuilds.counts(row.rebuild_id, self._p.clock.now()) if row else RebuildCounts()
        if row is None or row.finished_at is not None:
            raise Conflict("rebuild_not_running", "No rebuild is under way.", "Nothing to do.")
        if counts.pending or counts.running:
            raise Conflict(
                "rebuild_not_through",
                f"{counts.pending + counts.running} documents are still to come.",
                "Wait until they are through; `frostbyte index status` says how long.",
            )
        self._finish(row, actor=actor)
        return self.status()

    def status(self) -> dict[str, Any]:
        """How far the newest rebuild is, how fast, and how long it will take; what answers meanwhile."""
        now = self._p.clock.now()
        serving, wanted = self._p.vectors.spec, self._p.embedder.spec
        with self._p.unit_of_work() as uow:
            row = uow.rebuilds.latest()
            since = max(now - _RECENT, row.started_at) if row else now
            counts = uow.rebuilds.counts(row.rebuild_id, since) if row else RebuildCounts()
        return {
            "serving": None if serving is None else f"{serving.model}@{serving.version}/{serving.dimensions}",
            "wanted": f"{wanted.model}@{wanted.version}/{wanted.dimensions}",
            "fits": serving is None or serving == wanted,
            "rebuild": None if row is None else _described(row, counts, (now - since).total_seconds()),
        }

    def _send(self, rebuild: RebuildRow, seen: DocumentRow) -> None:
        """Send one document through the stages; or only mark it, if it is of today's versions."""
        with self._p.unit_of_work() as uow:
            uow.lock_content(seen.doc_id)
            row = uow.documents.get(seen.doc_id, lock=True)
            if row is None or not row.active_generation or row.rebuild == rebuild.rebuild_id:
                return
            if row.state not in (State.INDEXED, State.FAILED):
                return
            config = uow.configs.latest()
            row = replace(row, rebuild=rebuild.rebuild_id, config_version=config.version if config else 0)
            if self._flow.generation(row) == row.active_generation:
                uow.documents.put(replace(row, state=State.INDEXED))
                uow.commit()
                return
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.DOCUMENT_INGESTED,
                clock=self._p.clock,
                actor=rebuild.actor,
                details={"component": "rebuild", "trigger": "rebuild"},
            )
            uow.audit.append(event)
            fresh = {"code": "", "message": "", "remedy": "", "finished_at": None}
            uow.documents.put(replace(row, state=State.RECEIVED, stage=Stage.PARSE, **fresh))
            job = JobRow(
                job_id=new_id(),
                doc_id=row.doc_id,
                incarnation=row.incarnation,
                stage=Stage.PARSE,
                not_before=self._p.clock.now(),
            )
            uow.jobs.put(job)
            uow.commit()
        self._p.hints.announce([job])

    def _finish(self, row: RebuildRow, *, actor: str) -> None:
        with self._p.unit_of_work() as uow:
            uow.rebuilds.put(replace(row, finished_at=self._p.clock.now()))
            if row.collection:
                uow.rebuilds.switch()
            self._audit(uow, row, actor, "finished")
            if row.collection:
                self._p.vectors.switch(uow.commit)
            else:
                uow.commit()

    def _audit(self, uow: UnitOfWork, row: RebuildRow, actor: str, status: str) -> None:
        details = {"component": "rebuild", "model": self._p.embedder.spec.model, "status": status}
        uow.audit.append(
            make_event(
                self._p.tenant_id, EventType.TENANT_UPDATED, self._p.clock, actor, "index", str(row.rebuild_id), details
            )
        )


def _described(row: RebuildRow, counts: RebuildCounts, seconds: float) -> dict[str, Any]:
    left = counts.pending + counts.running
    rate = counts.recent / seconds if seconds > 0 else 0.0
    state = "finished" if row.finished_at else "running" if left or not counts.failed else "held"
    return {
        "rebuild_id": str(row.rebuild_id),
        "state": state,
        "beside": bool(row.collection),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at) if row.finished_at else None,
        "total": left + counts.done + counts.failed,
        "done": counts.done,
        "failed": counts.failed,
        "running": counts.running,
        "documents_per_second": round(rate, 3),
        "seconds_left": None if row.finished_at or not rate else round(left / rate),
    }
