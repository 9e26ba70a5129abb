"""Uploads: the list, one as it moves on, and its acceptance report."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import READERS, PlaneDep, own
from frostbyte.api.data.console.access import page, visiting
from frostbyte.data_plane.serve.lists import UNDER_WAY
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.records import State
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)
Reader = Annotated[Visit, visiting(*READERS)]
_PAGE: Final = 50
_PROBLEMS: Final = 20
"""Of each kind on the report's first page; `whole` puts all of them and all files on one, to be printed or kept."""
_ALL: Final = 100_000


class Shown(StrEnum):
    """Which files of an upload are shown."""

    ALL = "all"
    UNDER_WAY = "under_way"
    INDEXED = "indexed"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    REJECTED = "rejected"
    ERASED = "erased"

    @property
    def states(self) -> tuple[State, ...] | None:
        """As `Lists.files` asks."""
        if self is Shown.ALL:
            return None
        if self is Shown.REJECTED:
            return ()
        return UNDER_WAY if self is Shown.UNDER_WAY else (State(self.value),)


@router.get("/batches")
def batches(request: Request, plane: PlaneDep, visit: Reader, before: UUID | None = None) -> Response:
    """Uploads, newest first."""
    found = plane.lists.batches(own(visit.caller), before=before)
    return page(request, plane, visit, "data/batches.html", who=visit, found=found, first=before is None)


@router.get("/batches/{batch_id}")
def batch(
    request: Request,
    plane: PlaneDep,
    visit: Reader,
    batch_id: UUID,
    show: Shown = Shown.ALL,
    after: Annotated[int, Query(ge=-1, le=2**31)] = -1,
) -> Response:
    """One upload: its sums and a page of its files. A script keeps both as they are now."""
    subject = own(visit.caller)
    sums = plane.lists.progress(batch_id, subject)
    found = plane.lists.files(batch_id, subject, states=show.states, after=after, limit=_PAGE)
    return page(
        request, plane, visit, "data/batch.html",
        who=visit, sums=sums, found=found, show=show.value, after=after, limit=_PAGE,
    )  # fmt: skip


@router.post("/batches/{batch_id}/close")
def close(plane: PlaneDep, visit: Annotated[Visit, visiting(Scope.INGEST)], batch_id: UUID) -> Response:
    """No more files come to an upload that broke off."""
    plane.lists.progress(batch_id, own(visit.caller))
    plane.intake.finish(batch_id)
    return RedirectResponse(f"/console/batches/{batch_id}?said=closed", status_code=303)


@router.get("/batches/{batch_id}/report")
def report(
    request: Request,
    plane: PlaneDep,
    visit: Reader,
    batch_id: UUID,
    after: Annotated[int, Query(ge=-1, le=2**31)] = -1,
    whole: bool = False,
) -> Response:
    """The acceptance report, to be read and printed."""
    subject, health = own(visit.caller), plane.health()

    def files(states: tuple[State, ...] | None, most: int, start: int = -1) -> dict[str, Any]:
        return plane.lists.files(batch_id, subject, states=states, after=start, limit=_ALL if whole else most)

    return page(
        request,
        plane,
        visit,
        "data/report.html",
        sums=plane.batches.sums(batch_id, subject),
        rejected=files((), _PROBLEMS),
        troubled=files((State.FAILED, State.QUARANTINED, State.WAITING), _PROBLEMS),
        found=files(None, _PAGE, after),
        after=after,
        whole=whole,
        health=health,
    )
