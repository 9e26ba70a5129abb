"""Search as a page. A question comes in a form's body, so that no address and no log holds it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.api.http.access import limited
from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.review import CLASSES
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)
Searcher = Annotated[Visit, visiting(Scope.QUERY)]
Counted = Annotated[None, limited("query")]

_DATES = "Write dates as year-month-day, such as 2026-03-31."


class Asked(BaseModel):
    """The form as it is sent; every field is there, empty where nothing was chosen."""

    model_config = ConfigDict(extra="ignore")
    query: str = Field(default="", max_length=8000)
    mode: Mode = Mode.HYBRID
    classification: str = Field(default="", pattern=r"^[a-z0-9_-]{0,40}$")
    received_from: str = Field(default="", max_length=10)
    received_to: str = Field(default="", max_length=10)
    document: UUID | None = None

    def filters(self) -> Filters:
        """The bounds as the core knows them: whole days in UTC, the last one among them. Raises Invalid."""
        return Filters(
            doc_ids=(self.document,) if self.document else None,
            classifications=(self.classification,) if self.classification else None,
            received_from=_midnight(self.received_from),
            received_to=_midnight(self.received_to, timedelta(days=1, microseconds=-1)),
        )


def _midnight(day: str, more: timedelta = timedelta()) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC) + more
    except (ValueError, OverflowError):
        raise Invalid("date_invalid", "A date of the search is none.", _DATES) from None


@router.get("/search")
def search(request: Request, plane: PlaneDep, visit: Searcher, document: UUID | None = None) -> Response:
    """The empty form, or one that asks a single document."""
    return _shown(request, plane, visit, Asked(document=document), None)


@router.post("/search")
def found(
    request: Request,
    plane: PlaneDep,
    visit: Searcher,
    _: Counted,
    asked: Annotated[Asked, Form()],
) -> Response:
    """The best passages for a question."""
    answer = None
    if asked.query.strip():
        answer = plane.answers.answer(
            asked.query, top_k=None, filters=asked.filters(), mode=asked.mode, actor=visit.caller.subject
        )
    return _shown(request, plane, visit, asked, answer)


def _shown(request: Request, plane: Plane, visit: Visit, asked: Asked, answer: dict[str, Any] | None) -> Response:
    within = plane.documents.summary(plane.documents.row(asked.document)) if asked.document else None
    return page(
        request,
        plane,
        visit,
        "data/search.html",
        asked=asked,
        answer=answer,
        within=within,
        classes=CLASSES,
        modes=Mode,
    )
