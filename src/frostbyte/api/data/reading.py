"""Asking, and looking at documents and passages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.access import limited
from frostbyte.api.http.problems import responses
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.records import State
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1")
_FAILS = responses(401, 403, 404, 409, 410, 422, 429, 503)
Reader = Annotated[Caller, needs(Scope.QUERY)]
Counted = Annotated[None, limited("query")]


_Class = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
"""A class's name. Bounded here, because a lone surrogate is a string to JSON and none to a database."""


class Bounds(BaseModel):
    """What documents an answer may come from."""

    model_config = ConfigDict(extra="forbid")
    doc_ids: list[UUID] | None = Field(default=None, max_length=1000)
    classification: _Class | Annotated[list[_Class], Field(max_length=50)] | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None

    def filters(self) -> Filters:
        """The bounds as the core knows them."""
        named = self.classification
        return Filters(
            doc_ids=tuple(self.doc_ids) if self.doc_ids is not None else None,
            classifications=tuple([named] if isinstance(named, str) else named) if named is not None else None,
            received_from=_utc(self.received_from),
            received_to=_utc(self.received_to),
        )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


class Question(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid")
    query: str = Field(min_length=1, max_length=8000)
    top_k: int | None = Field(default=None, ge=1, le=50)
    mode: Mode = Mode.HYBRID
    filters: Bounds = Bounds()


@router.post("/query", tags=["search"], responses=_FAILS, response_model=dict[str, Any])
def query(question: Question, plane: PlaneDep, caller: Reader, _: Counted) -> Response:
    """The best passages for a question, each with a link to its proof."""
    answer = plane.answers.answer(
        question.query,
        top_k=question.top_k,
        filters=question.filters.filters(),
        mode=question.mode,
        actor=caller.subject,
    )
    # Written here: FastAPI would check each value and go to a thread for it.
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.get("/documents", tags=["documents"], responses=_FAILS)
def documents(
    plane: PlaneDep,
    caller: Reader,
    _: Counted,
    state: State | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """The tenant's documents, by id."""
    return plane.documents.page(state=state, after=cursor, limit=limit)


@router.get("/documents/{doc_id}", tags=["documents"], responses=_FAILS)
def document(doc_id: UUID, plane: PlaneDep, caller: Reader, _: Counted) -> dict[str, Any]:
    """One document with its account."""
    return plane.documents.get(doc_id)


@router.get("/documents/{doc_id}/content", tags=["documents"], responses=_FAILS, response_model=None)
def content(
    doc_id: UUID, plane: PlaneDep, caller: Reader, _: Counted, format: Literal["md", "json"] = "md"
) -> Response | dict[str, Any]:
    """The document as Markdown or as its structure, redacted."""
    if format == "json":
        return plane.documents.json(doc_id)
    return PlainTextResponse(plane.documents.markdown(doc_id), media_type="text/markdown; charset=utf-8")


@router.get("/documents/{doc_id}/source", tags=["documents"], responses=_FAILS, response_class=StreamingResponse)
def source(
    doc_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(Scope.SOURCE)], _: Counted
) -> StreamingResponse:
    """The file as it came. Every read is audited."""
    name, mime, size, chunks = plane.documents.source(doc_id, actor=caller.subject)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(size),
    }
    return StreamingResponse(chunks, media_type=mime, headers=headers)


@router.post("/documents/{doc_id}/replay", tags=["documents"], responses=_FAILS)
def replay(doc_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(Scope.SOURCE)], _: Counted) -> dict[str, Any]:
    """Compute the document's passages again from the file as it came, and compare. The read is audited."""
    return plane.replay.document(doc_id, actor=caller.subject)


@router.get("/documents/{doc_id}/pages/{number}.png", tags=["documents"], responses=_FAILS)
def page_picture(
    doc_id: UUID, number: int, plane: PlaneDep, caller: Reader, _: Counted, highlight: UUID | None = None
) -> Response:
    """A picture of the page with the passage marked; what is redacted is filled in, without the scope `source`."""
    made = plane.pictures.png(
        doc_id, number, highlight=highlight, source=caller.has(Scope.SOURCE), actor=caller.subject
    )
    return Response(made, media_type="image/png")


@router.get("/chunks/{chunk_id}", tags=["search"], responses=_FAILS)
def chunk(chunk_id: UUID, plane: PlaneDep, caller: Reader, _: Counted) -> dict[str, Any]:
    """A passage as it is shown."""
    return plane.documents.shown_chunk(chunk_id)


@router.get("/chunks/{chunk_id}/proof", tags=["search"], responses=_FAILS)
def proof(chunk_id: UUID, plane: PlaneDep, caller: Reader, _: Counted) -> dict[str, Any]:
    """The passage's proof; waits for the checkpoint. With the scope `source` it discloses the source's sha256."""
    return plane.proofs.chunk(chunk_id, source=caller.has(Scope.SOURCE), actor=caller.subject)


@router.get("/export/chunks", tags=["documents"], responses=_FAILS)
def export(
    plane: PlaneDep,
    caller: Reader,
    _: Counted,
    format: Literal["jsonl", "parquet"] = "jsonl",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Response:
    """Cleared passages; the header X-Next-Cursor names the next page."""
    data, media, following = plane.export.page(format=format, cursor=cursor, limit=limit, actor=caller.subject)
    return Response(data, media_type=media, headers={"X-Next-Cursor": following} if following else {})
