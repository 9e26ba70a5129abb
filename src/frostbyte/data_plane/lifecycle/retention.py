"""Erasing what was kept long enough: once a day, bounded, to be looked at before, and with receipts.

A run is a row that is begun, worked at and ended in transactions of their own, and each erasure names its run. So a run
that is killed goes on where it was, and what it erased is counted from what there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.lifecycle.erasure import Erasure
from frostbyte.data_plane.lifecycle.trusted_time import DOUBTS, TrustedTime
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import DocumentRow, RetentionRunRow

EVERY: Final = timedelta(days=1)
"""From the beginning of a run to that of the next."""
SOON: Final = timedelta(hours=1)
"""The same, where a run left something: a setting that was a mistake shows before it has done all its work."""
MOST: Final = 10_000
"""Documents that one run erases at most."""
TURN_SECONDS: Final = 30.0
"""How long one call works at a run: what else is to be done in between does not wait longer."""
REASON: Final = "retention"
ACTOR: Final = "plane"
_PAGE: Final = 100


class Retention:
    """Runs retention, and shows what it would do and did.

    Args:
        tenant_id: whose plane this is.
        unit_of_work: opens transactions.
        clock: for events and previews.
        time: the time by which documents expire.
        erasure: erases one.
        configuration: says how long documents are kept.
        most: documents that a run erases at most.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        time: TrustedTime,
        erasure: Erasure,
        configuration: Configuration,
        most: int = MOST,
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self.time = time
        self._erasure = erasure
        self._configuration = configuration
        self._most = most

    def turn(self, going_on: Callable[[], bool] = lambda: True) -> int:
        """Begin a run if one is due, and work at the one that there is for a while; how many documents it erased.

        Args:
            going_on: asked before each document; whoever stops the plane says no.

        Raises:
            Unavailable: `clock_doubted`, or what a store says: nothing is lost, and the next call goes on.
        """
        now = self.time.look()
        run = self._begun(now)
        return self._work(run, now, going_on) if run is not None else 0

    def _begun(self, now: datetime) -> RetentionRunRow | None:
        """The run that has not ended, or one that begins now; None while none is due."""
        with self._unit_of_work() as uow:
            latest = next(iter(uow.retention.runs(limit=1)), None)
            if latest is not None and latest.finished_at is None:
                return latest
            if latest is not None and now < _next_at(latest):
                return None
            config = uow.configs.latest()
            days = self._configuration.current().retention_days
            run = RetentionRunRow(
                run_id=new_id(),
                began_at=now,
                cutoff=now - timedelta(days=days),
                retention_days=days,
                config_version=config.version if config else 0,
            )
            uow.retention.put(run)
            uow.commit()
        return run

    def _work(self, run: RetentionRunRow, now: datetime, going_on: Callable[[], bool]) -> int:
        # Who finds a setting to be a mistake and corrects it stops what the run has not done yet.
        cutoff = min(run.cutoff, now - timedelta(days=self._configuration.current().retention_days))
        ends, count = time.monotonic() + TURN_SECONDS, 0
        while True:
            with self._unit_of_work(reading=True) as uow:
                left = self._most - uow.retention.erased_in(run.run_id)
                rows = uow.retention.due(cutoff, min(left, _PAGE)) if left > 0 else []
            if not rows:
                self._finish(run, cutoff)
                return count
            for row in rows:
                if time.monotonic() > ends or not going_on():
                    return count
                count += self._erased(row, run)

    def _erased(self, row: DocumentRow, run: RetentionRunRow) -> bool:
        """False where somebody placed a hold on it in this moment."""
        try:
            self._erasure.erase(row.doc_id, actor=ACTOR, reason=REASON, run_id=run.run_id)
        except Conflict as error:
            if error.code != "document_held":
                raise
            return False
        return True

    def _finish(self, run: RetentionRunRow, cutoff: datetime) -> None:
        with self._unit_of_work() as uow:
            tally = uow.retention.tally(cutoff)
            ended = replace(
                run,
                finished_at=self._clock.now(),
                erased=uow.retention.erased_in(run.run_id),
                held=tally.held,
                remaining=tally.due,
            )
            uow.retention.put(ended)
            uow.audit.append(
                make_event(
                    self._tenant_id,
                    EventType.RETENTION_RUN,
                    self._clock,
                    ACTOR,
                    "retention",
                    str(run.run_id),
                    {
                        "component": "lifecycle",
                        "run_id": run.run_id,
                        "retention_days": run.retention_days,
                        "config_version": run.config_version,
                        "erased": ended.erased,
                        "held": ended.held,
                        "remaining": ended.remaining,
                        "status": "done",
                    },
                )
            )
            uow.commit()
        structlog.get_logger("frostbyte.retention").info(
            "retention_run", run_id=run.run_id, erased=ended.erased, held=ended.held, remaining=ended.remaining
        )

    def plan(self, *, days: int | None = None, ahead: int = 0, limit: int = 100) -> dict[str, Any]:
        """What a run would erase now; nothing is changed.

        Args:
            days: as if documents were kept for so many days; None for what is configured.
            ahead: as if it were so many days later.
            limit: documents named at most, the oldest first; all are counted.
        """
        kept = days if days is not None else self._configuration.current().retention_days
        with self._unit_of_work(reading=True) as uow:
            at, doubt = self._believed(uow)
            at += timedelta(days=ahead)
            cutoff = at - timedelta(days=kept)
            tally, rows = uow.retention.tally(cutoff), uow.retention.due(cutoff, limit)
            latest = next(iter(uow.retention.runs(limit=1)), None)
        running = latest is not None and latest.finished_at is None
        return {
            "retention_days": kept,
            "at": iso(at),
            "cutoff": iso(cutoff),
            "due": tally.due,
            "held": tally.held,
            "most_per_run": self._most,
            "documents": [
                {
                    "doc_id": str(row.doc_id),
                    "received_at": iso(row.received_at),
                    "due_since": iso(row.received_at + timedelta(days=kept)),
                    "size": row.size,
                }
                for row in rows
            ],
            "running": running,
            "next_run_at": None if latest is None or running else iso(_next_at(latest)),
            "waits": doubt,
            "waits_because": DOUBTS.get(doubt, ""),
        }

    def _believed(self, uow: UnitOfWork) -> tuple[datetime, str]:
        """The time that a run would go by, and why none does."""
        row, now = uow.retention.trusted(), uow.retention.moment(self._clock.now())
        return (now, "") if row is None or not row.doubt else (min(now, row.trusted_at), row.doubt)

    def runs(self, *, before: UUID | None = None, limit: int = 100) -> dict[str, Any]:
        """Runs, newest first."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.retention.runs(before=before, limit=limit + 1)
            shown = [_shown(uow, row) for row in rows[:limit]]
        return {"runs": shown, "cursor": shown[-1]["run_id"] if len(rows) > limit else None}

    def run(self, run_id: UUID, *, after: UUID | None = None, limit: int = 100) -> dict[str, Any]:
        """A run with its erasures, whose destruction receipts can be asked for. Raises NotFound: `run_not_found`."""
        with self._unit_of_work(reading=True) as uow:
            row = uow.retention.run(run_id)
            if row is None:
                raise NotFound("run_not_found", "There is no such run.", "`frostbyte retention list` shows all.")
            erasures = uow.retention.erasures(run_id, after=after, limit=limit + 1)
            shown = _shown(uow, row)
        page = erasures[:limit]
        return shown | {
            "erasures": [
                {"erasure_id": str(item.erasure_id), "doc_id": str(item.doc_id), "requested_at": iso(item.requested_at)}
                for item in page
            ],
            "cursor": str(page[-1].erasure_id) if len(erasures) > limit else None,
        }


def _next_at(latest: RetentionRunRow) -> datetime:
    return latest.began_at + (SOON if latest.remaining else EVERY)


def _shown(uow: UnitOfWork, row: RetentionRunRow) -> dict[str, Any]:
    open_ = row.finished_at is None
    return {
        "run_id": str(row.run_id),
        "began_at": iso(row.began_at),
        "finished_at": iso(row.finished_at) if row.finished_at else None,
        "cutoff": iso(row.cutoff),
        "retention_days": row.retention_days,
        "config_version": row.config_version,
        "erased": uow.retention.erased_in(row.run_id) if open_ else row.erased,
        "held": row.held,
        "remaining": row.remaining,
    }
