"""Handing documents over."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import PlaneDep, own
from frostbyte.api.data.console.access import page, session_of, visiting
from frostbyte.api.data.ingest import taken
from frostbyte.api.data.multipart import Upload, boundary_of
from frostbyte.api.http.access import asking, limited
from frostbyte.api.http.visiting import CSRF_HEADER, check_posted
from frostbyte.data_plane.intake import BatchSession, Manifest
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("/upload")
def form(request: Request, plane: PlaneDep, visit: Annotated[Visit, visiting(Scope.INGEST)]) -> Response:
    """Choose files and send them. What a file may be is said before."""
    room = plane.overview.room() if own(visit.caller) is None else None
    return page(request, plane, visit, "data/upload.html", limits=plane.overview.limits(), room=room)


async def _sender(request: Request, visit: Annotated[Visit, Depends(session_of)]) -> Visit:
    """Who sends. The form is not read here, as it is elsewhere: its files would lie on a disk unsealed."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        check_posted(request, visit, request.headers.get(CSRF_HEADER, ""))
    return visit


@router.post("/upload")
async def send(
    request: Request,
    plane: PlaneDep,
    visit: Annotated[Visit, asking(_sender, (Scope.INGEST,))],
    _: Annotated[None, limited("ingest")],
) -> Response:
    """Take the files of a form that was sent without the page's script; its `csrf` comes before the first of them."""

    def begin(manifest: Manifest | None) -> BatchSession:
        check_posted(request, visit, upload.said.get("csrf", ""))
        return plane.intake.open_batch(visit.caller.subject)

    upload = Upload(boundary_of(request.headers.get("content-type", "")), begin, fields=("csrf",))
    result = await taken(request, upload)
    return RedirectResponse(f"/console/batches/{result.batch_id}?said=received", status_code=303)
