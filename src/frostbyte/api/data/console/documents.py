"""The tenant's documents: the list, one of them, and its erasure with the receipt that stays."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.data_plane.lifecycle.erasure import ErasureReason
from frostbyte.data_plane.serve.lists import UNDER_WAY
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.formats import FORMATS, PICTURED
from frostbyte.kernel.records import State
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)
Reader = Annotated[Visit, visiting(Scope.QUERY)]
Eraser = Annotated[Visit, visiting(Scope.ERASE)]
_PAGE: Final = 50


class Shown(StrEnum):
    """Which documents are shown."""

    ALL = "all"
    UNDER_WAY = "under_way"
    INDEXED = "indexed"
    REVIEW = "review"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    ERASED = "erased"

    @property
    def states(self) -> tuple[State, ...] | None:
        """As `Lists.documents` asks."""
        if self in (Shown.ALL, Shown.REVIEW):
            return None
        return UNDER_WAY if self is Shown.UNDER_WAY else (State(self.value),)


@router.get("/documents")
def documents(
    request: Request, plane: PlaneDep, visit: Reader, show: Shown = Shown.ALL, before: UUID | None = None
) -> Response:
    """Documents, newest first."""
    found = plane.lists.documents(states=show.states, needs_review=show is Shown.REVIEW, before=before, limit=_PAGE)
    return page(
        request, plane, visit, "data/documents.html",
        who=visit, found=found, show=show.value, first=before is None, whole=plane.overview.show(),
    )  # fmt: skip


@router.get("/documents/{doc_id}")
def document(
    request: Request,
    plane: PlaneDep,
    visit: Reader,
    doc_id: UUID,
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """One document: where it stands, its account, and its text a page at a time."""
    shown = plane.documents.get(doc_id)
    text: dict[str, Any] | None = None
    if shown["state"] == State.INDEXED:
        text = plane.documents.page_of(doc_id, number)
    return page(
        request,
        plane,
        visit,
        "data/document.html",
        who=visit,
        document=shown,
        custody=plane.custody.document(doc_id),
        text=text,
        format=FORMATS.get(shown["mime"], shown["mime"]),
        pictured=shown["mime"] in PICTURED,
        erasures=plane.erasure.of_document(doc_id) if visit.has(Scope.ERASE) or visit.has(Scope.AUDIT) else [],
    )


@router.get("/documents/{doc_id}/erase")
def asked(request: Request, plane: PlaneDep, visit: Eraser, doc_id: UUID) -> Response:
    """Say what erasing does, and ask whether it is meant."""
    shown = plane.documents.get(doc_id)
    return page(request, plane, visit, "data/erase.html", document=shown, reasons=list(ErasureReason))


@router.post("/documents/{doc_id}/erase")
def erase(
    plane: PlaneDep,
    visit: Eraser,
    doc_id: UUID,
    reason: Annotated[ErasureReason, Form()],
    sure: Annotated[str, Form()] = "",
) -> Response:
    """Erase it for good; the receipt is the answer."""
    if sure != "yes":
        raise Invalid(
            "erasure_unsure",
            "The document was not erased: that you are sure was not ticked.",
            "Go back, read what erasing does, and tick it if it is what you want.",
        )
    made = plane.erasure.erase(doc_id, actor=visit.caller.subject, reason=reason.value)
    return RedirectResponse(f"/console/erasures/{made['erasure_id']}?said=erased", status_code=303)


@router.get("/erasures/{erasure_id}")
def receipt(
    request: Request,
    plane: PlaneDep,
    visit: Annotated[Visit, visiting(Scope.ERASE, Scope.AUDIT)],
    erasure_id: UUID,
) -> Response:
    """The destruction receipt as it stands now, to be printed or kept."""
    return page(request, plane, visit, "data/erasure.html", receipt=plane.erasure.receipt(erasure_id))


@router.get("/erasures/{erasure_id}/receipt.json")
def kept(plane: PlaneDep, visit: Annotated[Visit, visiting(Scope.ERASE, Scope.AUDIT)], erasure_id: UUID) -> Response:
    """The receipt as a file."""
    body = json.dumps(plane.erasure.receipt(erasure_id), indent=2) + "\n"
    headers = {"Content-Disposition": f'attachment; filename="destruction-receipt-{erasure_id}.json"'}
    return Response(body, media_type="application/json", headers=headers)
