"""Legal holds: which there are, placing one, releasing one."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.bootstrap.data import Plane
from frostbyte.console import reviewing
from frostbyte.data_plane.lifecycle.holds import MOST, Reason, ReleaseReason
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console/holds", include_in_schema=False)
Looking = Annotated[Visit, visiting(Scope.ADMIN, Scope.AUDIT)]
Administrator = Annotated[Visit, visiting(Scope.ADMIN)]
AT_ONCE: Final = 100
SHOWN: Final = 50
"""Documents of a hold that its page names."""


@router.get("")
def held(
    request: Request,
    plane: PlaneDep,
    visit: Looking,
    all: Annotated[str, Query(max_length=3)] = "",
    cursor: Annotated[UUID | None, Query()] = None,
) -> Response:
    """Holds that are in force, or all that there ever were."""
    found = plane.holds.page(released=bool(all), after=cursor, limit=AT_ONCE)
    view = {"holds": found["holds"], "in_force": found["in_force"], "cursor": found["cursor"], "all": bool(all)}
    return page(request, plane, visit, "data/holds.html", words=reviewing, may=visit.has(Scope.ADMIN), **view)


@router.get("/new")
def new(
    request: Request, plane: PlaneDep, visit: Administrator, doc: Annotated[UUID | None, Query()] = None
) -> Response:
    """What is to be held, and for which matter."""
    return _form(request, plane, visit, {"doc_ids": str(doc) if doc else ""})


def _form(
    request: Request, plane: Plane, visit: Visit, given: dict[str, Any], error: FrostbyteError | None = None
) -> Response:
    values = {"matter": "", "reason": Reason.LITIGATION.value, "scope": "documents", "doc_ids": ""} | given
    status = 200 if error is None else 422
    return page(
        request,
        plane,
        visit,
        "data/hold_new.html",
        status=status,
        words=reviewing,
        given=values,
        error=error,
        most=MOST,
    )


@router.post("/new")
def place(
    request: Request,
    plane: PlaneDep,
    visit: Administrator,
    matter: Annotated[str, Form(max_length=200)] = "",
    reason: Annotated[str, Form(max_length=40)] = "",
    scope: Annotated[str, Form(max_length=20)] = "",
    doc_ids: Annotated[str, Form(max_length=60_000)] = "",
) -> Response:
    """Place a hold; what does not fit comes back with what was typed."""
    given = {"matter": matter, "reason": reason, "scope": scope, "doc_ids": doc_ids}
    try:
        made = plane.holds.place(
            matter.strip(),
            _reason(reason),
            doc_ids=_ids(doc_ids) if scope != "everything" else (),
            everything=scope == "everything",
            actor=visit.caller.subject,
        )
    except FrostbyteError as error:
        if error.kind in (Kind.INVALID, Kind.NOT_FOUND, Kind.CONFLICT):
            return _form(request, plane, visit, given, error)
        raise
    return RedirectResponse(f"/console/holds/{made['hold_id']}?said=hold_placed", status_code=303)


def _reason(given: str) -> Reason:
    try:
        return Reason(given)
    except ValueError:
        raise Invalid("hold_reason", "There is no such reason.", "Choose one of the list.") from None


def _ids(text: str) -> list[UUID]:
    """The ids in a text, one a word or a line."""
    try:
        return [UUID(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise Invalid(
            "hold_document_id", "One of these is no document's id.", "Copy the ids whole, one a line."
        ) from None


@router.get("/{hold_id}")
def show(request: Request, hold_id: UUID, plane: PlaneDep, visit: Looking) -> Response:
    """One hold, with the documents that it covers."""
    hold = plane.holds.show(hold_id)
    ids = [UUID(doc_id) for doc_id in hold["doc_ids"][:SHOWN]]
    documents = plane.documents.summaries(ids) if visit.has(Scope.QUERY) else {}
    view: dict[str, Any] = {
        "hold": hold,
        "documents": documents,
        "ids": [str(doc_id) for doc_id in ids],
        "may": visit.has(Scope.ADMIN),
    }
    return page(request, plane, visit, "data/hold.html", words=reviewing, **view)


@router.post("/{hold_id}/release")
def release(hold_id: UUID, plane: PlaneDep, visit: Administrator, reason: Annotated[ReleaseReason, Form()]) -> Response:
    """Release a hold for good."""
    said = "hold_released"
    try:
        plane.holds.release(hold_id, reason, actor=visit.caller.subject)
    except Conflict as error:
        if error.code != "hold_released":
            raise
        said = "hold_released_before"
    return RedirectResponse(f"/console/holds/{hold_id}?said={said}", status_code=303)
