"""A passage with its page, where it comes from, and its proof."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.api.http.access import limited
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.formats import PICTURED
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)
Reader = Annotated[Visit, visiting(Scope.QUERY)]
Counted = Annotated[None, limited("query")]


@router.get("/passages/{chunk_id}")
def passage(
    request: Request,
    chunk_id: UUID,
    plane: PlaneDep,
    visit: Reader,
    _: Counted,
    number: int | None = None,
    source: bool = False,
) -> Response:
    """The passage on its page, or another page of its document.

    Args:
        number: of the page; the passage's own if none is named.
        source: show what is hidden, to who may see it.
    """
    shown = plane.documents.shown_chunk(chunk_id)
    document = plane.documents.get(UUID(shown["doc_id"]))
    at = shown["page"] if number is None else number
    if not 1 <= at <= document["pages"]:
        raise NotFound("page_not_found", "The document has no such page.", "Ask for one of its pages.")
    view: dict[str, Any] = {"passage": shown, "document": document, "at": at, "pictured": document["mime"] in PICTURED}
    if not view["pictured"]:
        view["parts"] = plane.documents.page_around(chunk_id, at)
    return page(
        request,
        plane,
        visit,
        "data/passage.html",
        **view,
        custody=plane.custody.passage(chunk_id),
        may_see_source=visit.has(Scope.SOURCE),
        source=source and visit.has(Scope.SOURCE),
    )


@router.get("/passages/{chunk_id}/pages/{number}.png")
def picture(chunk_id: UUID, number: int, plane: PlaneDep, visit: Reader, _: Counted, source: bool = False) -> Response:
    """A page of the passage's document, the passage marked. What is hidden is shown only if that is asked for, and the
    audit says so."""
    if source:
        visit.require(Scope.SOURCE)
    doc_id = UUID(plane.documents.shown_chunk(chunk_id)["doc_id"])
    made = plane.pictures.png(doc_id, number, highlight=chunk_id, source=source, actor=visit.caller.subject)
    return Response(made, media_type="image/png")
