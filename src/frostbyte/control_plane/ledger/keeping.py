"""What one log has in the ledger: reading its state, adding a step, raising and ending its alerts.

Each of these is one transaction, or part of one that the caller commits, together with the control plane's own audit
event where there is one.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.control_plane.ledger.lines import Event, Page
from frostbyte.control_plane.ledger.ports import LedgerStore, LedgerUnitOfWork
from frostbyte.control_plane.ledger.records import Alert, AlertRow, EndingRow, Finding, LogRow, StepRow
from frostbyte.control_plane.ledger.verify import Problem, Step, Verified, judge_chains
from frostbyte.kernel.audit.checkpoint import Cosigner, add_signature
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.ids import new_id

ITSELF: Final = "ledger"
"""The actor of what the ledger does by itself."""


LOOK_BACK: Final = 20_000
"""Earlier events read at most to follow the chains of one step; what lies further back the offline verifier follows."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a log stands."""

    log: LogRow
    verified: Verified
    stopped: Finding | None
    """The open finding under which it is not pulled."""


class Keeping:
    """The ledger's records.

    Args:
        store: where they are.
        cosigner: holds the ledger's key as a witness.
        clock: for times of steps, alerts and cosignatures.
    """

    def __init__(self, store: LedgerStore, cosigner: Cosigner, clock: Clock) -> None:
        self._store, self._cosigner, self._clock = store, cosigner, clock

    def state(self, tenant_id: str, log_key: str) -> State:
        """Where the log of that key stands; it is registered with the first call."""
        with self._store.unit_of_work() as uow:
            known = [log for log in uow.logs(tenant_id) if log.log_key == log_key]
            log = known[0] if known else uow.open_log(tenant_id, log_key, self._clock.now())
            step = uow.last_step(log.log_id)
            alerts = uow.alerts(tenant_id=tenant_id, open_only=True)
            if not known:
                uow.commit()
        stops = [item.row.finding for item in alerts if item.row.log_id == log.log_id and item.row.finding.stops]
        verified = Verified()
        if step is not None:
            verified = Verified(size=step.size, edge=step.hashes, note=step.note, root=step.root)
        return State(log=log, verified=verified, stopped=stops[0] if stops else None)

    def add(self, log: LogRow, before: Verified, step: Step) -> Verified:
        """Store verified events and the state after them, cosigned.

        Returns:
            that state, its note with our cosignature.

        Raises:
            Conflict: `ledger_moved`: another process has added to the log since its state was read.
        """
        now = self._clock.now()
        line = self._cosigner.cosign(step.after.note, int(now.timestamp()))
        note = add_signature(step.after.note, line)
        with self._store.unit_of_work() as uow:
            uow.lock(log.log_id)
            last = uow.last_step(log.log_id)
            if (last.size if last else 0) != before.size:
                raise Conflict("ledger_moved", "The ledger has gone on with this log meanwhile.", "Nothing to do.")
            broken = step.broken or self._broken_across(uow, log, before, step)
            newest = max(entry.timestamp for entry in step.entries)
            row = StepRow(
                log_id=log.log_id,
                size=step.after.size,
                edge=b"".join(step.after.edge),
                root=step.after.root,
                note=note,
                last_timestamp=max(newest, last.last_timestamp) if last else newest,
                stored_at=now,
            )
            uow.add_step(row, step.entries)
            if broken is not None:
                self._raise(uow, log, before.size, broken)
            uow.commit()
        return Verified(size=row.size, edge=step.after.edge, note=note, root=row.root)

    def raise_alert(self, log: LogRow, size: int, problem: Problem) -> None:
        """Keep a finding with its evidence, unless the same stands open for the log."""
        with self._store.unit_of_work() as uow:
            uow.lock(log.log_id)
            self._raise(uow, log, size, problem)
            uow.commit()

    def end(self, alert_id: UUID, actor: str, reason: str) -> Alert:
        """An operator takes notice: the log is tried again from where it stopped.

        Raises:
            NotFound: `alert_not_found`.
            Conflict: `alert_ended`: somebody did so already, or it ended by itself.
        """
        with self._store.unit_of_work() as uow:
            alert = uow.alert(alert_id)
            if alert is None:
                raise NotFound("alert_not_found", "There is no such alert.", "List them: `frostbyte ledger alerts`.")
            ending = EndingRow(alert_id=alert_id, ended_at=self._clock.now(), actor=actor, reason=reason)
            if not uow.end_alert(ending):
                raise Conflict("alert_ended", "The alert has ended already.", "Nothing to do.")
            self._audit(uow, EventType.LEDGER_ACKNOWLEDGED, alert.row, actor, {"reason": reason})
            uow.commit()
        return Alert(row=alert.row, ending=ending)

    def answered(self, log: LogRow) -> None:
        """End the log's open silence, if there is one."""
        with self._store.unit_of_work() as uow:
            for alert in uow.alerts(tenant_id=log.tenant_id, open_only=True):
                if (alert.row.log_id, alert.row.finding) == (log.log_id, Finding.SILENCE):
                    now = self._clock.now()
                    uow.end_alert(EndingRow(alert_id=alert.row.alert_id, ended_at=now, actor=ITSELF, reason="answered"))
            uow.commit()

    def note_import(self, tenant_id: str, added: int, size: int, actor: str) -> None:
        """Write into the control plane's own audit that somebody brought an export."""
        details = {"component": "ledger", "count": added, "size": size}
        with self._store.unit_of_work() as uow:
            uow.audit.append(
                make_event(tenant_id, EventType.LEDGER_IMPORTED, self._clock, actor, "tenant", tenant_id, details)
            )
            uow.commit()

    def differs(self, log: LogRow, start: int, leaves: list[bytes]) -> tuple[int, bytes] | None:
        """The first event from `start` on whose leaf is not the given one: its number and its line as it is kept."""
        with self._store.unit_of_work() as uow:
            kept = uow.range(log.log_id, start, start + len(leaves))
        for entry, leaf in zip(kept, leaves, strict=False):
            if entry.leaf != leaf:
                return entry.sequence, entry.line
        return None

    def _broken_across(self, uow: LedgerUnitOfWork, log: LogRow, before: Verified, step: Step) -> Problem | None:
        """Follow the chains that began before this step."""
        if not step.loose or not before.size:
            return None
        resources = sorted({line.event.resource_id for line in step.loose})
        earlier: dict[str, Event] = {}
        for entry in uow.of_resources(log.log_id, resources, before.size, limit=LOOK_BACK):
            event = msgspec.json.decode(entry.event, type=Event)
            earlier[event.event_id] = event
        return judge_chains(Page(step.loose, []), earlier)[0]

    def _raise(self, uow: LedgerUnitOfWork, log: LogRow, size: int, problem: Problem) -> None:
        standing = uow.alerts(tenant_id=log.tenant_id, open_only=True)
        if any((item.row.log_id, item.row.finding) == (log.log_id, problem.finding) for item in standing):
            return
        row = AlertRow(
            alert_id=new_id(),
            log_id=log.log_id,
            tenant_id=log.tenant_id,
            finding=problem.finding,
            size=size,
            position=problem.position,
            message=problem.message,
            evidence=problem.evidence,
            raised_at=self._clock.now(),
        )
        uow.raise_alert(row)
        self._audit(uow, EventType.LEDGER_FINDING, row, ITSELF, {})

    def _audit(
        self, uow: LedgerUnitOfWork, type: EventType, row: AlertRow, actor: str, details: dict[str, Any]
    ) -> None:
        uow.audit.append(
            make_event(
                row.tenant_id,
                type,
                self._clock,
                actor,
                "ledger_alert",
                str(row.alert_id),
                {
                    "component": "ledger",
                    "code": row.finding.value,
                    "size": row.size,
                    "position": row.position,
                    **details,
                },
            )
        )
