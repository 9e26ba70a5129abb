"""Legal holds: what nobody erases, nor time, until whoever may release them has.

A hold names a matter by the reference under which its story is kept elsewhere, and a reason out of a list. So nothing
in it is free text, the audit tells all of it, and no list of holds says what a matter is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from frostbyte.data_plane.standing import refusal
from frostbyte.kernel.audit.events import DETAILS, MAX_LIST, EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import HoldRow, State

MOST: Final = MAX_LIST
"""Documents under one hold: its event names each of them. A matter may have any number of holds."""


class Reason(StrEnum):
    """Why something is held."""

    LITIGATION = "litigation"
    INVESTIGATION = "investigation"
    REGULATOR = "regulator"
    AUDIT = "audit"
    CONTRACT = "contract"
    OTHER = "other"


class ReleaseReason(StrEnum):
    """Why it no longer is."""

    CLOSED = "closed"
    """The matter is."""
    WITHDRAWN = "withdrawn"
    """By whoever demanded it."""
    REPLACED = "replaced"
    """By another hold."""
    MISTAKE = "mistake"


class Holds:
    """Places, lists and releases holds."""

    def __init__(self, tenant_id: str, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock

    def place(
        self, matter: str, reason: Reason, *, doc_ids: Sequence[UUID] = (), everything: bool = False, actor: str
    ) -> dict[str, Any]:
        """Hold documents, or everything that the plane has and takes in. When this returns, it holds.

        Args:
            matter: a reference with a digit in it, such as `2026-0147`; never a name.
            reason: why.
            doc_ids: which documents, at most MOST.
            everything: instead of documents.
            actor: who does it, for the audit.

        Raises:
            Invalid: `hold_matter`, `hold_scope`.
            NotFound: `document_not_found`.
            Conflict: `document_erased`: one of them is gone, and nothing is held.
            Unavailable: `tenant_suspended`: the plane was suspended or closed in this moment.
        """
        wanted = tuple(sorted(set(doc_ids)))
        _check(matter, wanted, everything=everything)
        row = HoldRow(
            hold_id=new_id(),
            matter=matter,
            reason=reason.value,
            everything=everything,
            doc_ids=wanted,
            placed_at=self._clock.now(),
            placed_by=actor,
        )
        with self._unit_of_work() as uow:
            closed = refusal(uow.standing.get(lock=True).state)  # who closes it waits for this, or this for who does
            if closed is not None:
                raise closed
            uow.holds.add(row)  # from here on none of them is erased
            rows = uow.documents.get_many(wanted)
            if len(rows) < len(wanted):
                count = len(wanted) - len(rows)
                raise NotFound("document_not_found", f"{count} of these documents are not here.", "Check the ids.")
            gone = [doc_id for doc_id, document in rows.items() if document.state is State.ERASED]
            if gone:
                raise Conflict(
                    "document_erased",
                    f"{len(gone)} of these documents were erased, the first is {min(gone)}.",
                    "Leave them out: `frostbyte erasure ID` shows when each was destroyed.",
                )
            self._note(uow, EventType.HOLD_PLACED, row, actor, row.reason, "placed")
            uow.commit()
        return shown(row)

    def release(self, hold_id: UUID, reason: ReleaseReason, *, actor: str) -> dict[str, Any]:
        """Release a hold for good. Documents stay held by every other one that covers them.

        Raises:
            NotFound: `hold_not_found`.
            Conflict: `hold_released`: it was before.
        """
        with self._unit_of_work() as uow:
            if not uow.holds.release(hold_id, self._clock.now(), actor, reason.value):
                known = uow.holds.get(hold_id)
                if known is None:
                    raise _unknown()
                raise Conflict("hold_released", "The hold was released before.", "Nothing to do.")
            row = uow.holds.get(hold_id)
            assert row is not None  # none is ever removed
            self._note(uow, EventType.HOLD_RELEASED, row, actor, reason.value, "released")
            uow.commit()
        return shown(row)

    def show(self, hold_id: UUID) -> dict[str, Any]:
        """One hold. Raises NotFound: `hold_not_found`."""
        with self._unit_of_work(reading=True) as uow:
            row = uow.holds.get(hold_id)
        if row is None:
            raise _unknown()
        return shown(row)

    def page(
        self, *, released: bool = False, doc_id: UUID | None = None, after: UUID | None = None, limit: int = 100
    ) -> dict[str, Any]:
        """Holds by age, oldest first.

        Args:
            released: also those that were released.
            doc_id: only those that cover this document.
        """
        with self._unit_of_work(reading=True) as uow:
            rows = uow.holds.page(in_force=not released, doc_id=doc_id, after=after, limit=limit + 1)
            in_force = uow.holds.count()
        page = rows[:limit]
        return {
            "holds": [shown(row) for row in page],
            "in_force": in_force,
            "cursor": str(page[-1].hold_id) if len(rows) > limit else None,
        }

    def _note(self, uow: UnitOfWork, type: EventType, row: HoldRow, actor: str, reason: str, status: str) -> None:
        uow.audit.append(
            make_event(
                self._tenant_id,
                type,
                self._clock,
                actor,
                "hold",
                str(row.hold_id),
                {
                    "component": "lifecycle",
                    "hold_id": row.hold_id,
                    "matter": row.matter,
                    "reason": reason,
                    "kind": "everything" if row.everything else "documents",
                    "documents": len(row.doc_ids),
                    "doc_ids": [str(doc_id) for doc_id in row.doc_ids],
                    "status": status,
                },
            )
        )


def shown(row: HoldRow) -> dict[str, Any]:
    """A hold as callers see it."""
    return {
        "hold_id": str(row.hold_id),
        "matter": row.matter,
        "reason": row.reason,
        "everything": row.everything,
        "doc_ids": [str(doc_id) for doc_id in row.doc_ids],
        "in_force": row.released_at is None,
        "placed_at": iso(row.placed_at),
        "placed_by": row.placed_by,
        "released_at": _moment(row.released_at),
        "released_by": row.released_by,
        "release_reason": row.release_reason,
    }


def _moment(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _check(matter: str, doc_ids: Sequence[UUID], *, everything: bool) -> None:
    if not DETAILS["matter"](matter):
        raise Invalid(
            "hold_matter",
            "A matter is a reference and no name: up to 64 letters, digits and . _ / -, with a digit among them.",
            "Use the number under which the matter is kept, such as 2026-0147.",
        )
    if everything is bool(doc_ids) or len(doc_ids) > MOST:
        raise Invalid(
            "hold_scope",
            f"A hold covers 1 to {MOST} documents, or everything; not both.",
            "Place several holds of the same matter for more documents.",
        )


def _unknown() -> NotFound:
    return NotFound("hold_not_found", "There is no such hold.", "Check the id.")
