"""What waits for a reviewer: withheld passages, quarantine, uncertain classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.bootstrap.data import Plane
from frostbyte.console import reviewing
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.records import State
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console/review", include_in_schema=False)
Reviewer = Annotated[Visit, visiting(Scope.REVIEW)]
Next = Annotated[str, Form(alias="next", max_length=36)]
AT_ONCE: Final = 25
"""Things on one page: as many as one person decides before going on."""
_ROOT: Final = "/console/review"


@router.get("")
def withheld(request: Request, plane: PlaneDep, visit: Reviewer) -> Response:
    """Passages that wait for a decision."""
    return _passages(request, plane, visit, kept=False)


@router.get("/kept")
def kept(request: Request, plane: PlaneDep, visit: Reviewer) -> Response:
    """Passages that a reviewer left withheld."""
    return _passages(request, plane, visit, kept=True)


def _passages(request: Request, plane: Plane, visit: Visit, *, kept: bool) -> Response:
    found = plane.review.withheld(AT_ONCE, kept=kept)
    rules = plane.review.rules([UUID(item["chunk_id"]) for item in found])
    about = _about(plane, found)
    passages = [
        item | {"about": about[item["doc_id"]], "rules": rules.get(UUID(item["chunk_id"]), [])}
        for item in found
        if item["doc_id"] in about
    ]
    counts = plane.review.counts()
    view: dict[str, Any] = {"passages": passages, "kept": kept, "total": counts["kept" if kept else "withheld"]}
    return page(
        request, plane, visit, "data/review.html", counts=counts, keys=3 if kept else 6, words=reviewing, **view
    )


def _about(plane: Plane, items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What lists show of the documents that these are of, by id."""
    return plane.documents.summaries([UUID(item["doc_id"]) for item in items])


@router.post("/passages/{chunk_id}")
def decide(
    chunk_id: UUID,
    plane: PlaneDep,
    visit: Reviewer,
    decision: Annotated[str, Form(max_length=40)],
    following: Next = "",
    kept: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Release a passage, or leave it withheld."""
    what, _, reason = decision.partition(":")
    actor, back = visit.caller.subject, f"{_ROOT}/kept" if kept else _ROOT
    match what:
        case "release":
            return _done(
                back,
                "released",
                following,
                lambda: plane.review.release(chunk_id, actor=actor, reason=reason, waiting=not kept),
            )
        case "keep":
            return _done(back, "kept", following, lambda: plane.review.keep(chunk_id, actor=actor, reason=reason))
    raise Invalid("decision_unknown", "There is no such decision.", "Open the review again and choose one.")


def _done(back: str, said: str, following: str, decide: Callable[[], object]) -> Response:
    """Decide, and lead to what comes next; who was second is told so."""
    try:
        decide()
    except Conflict as error:
        if error.code not in ("already_reviewed", "not_withheld", "document_changed", "not_failed"):
            raise
        said = "decided_elsewhere"
    except NotFound:
        said = "decided_elsewhere"
    return RedirectResponse(f"{back}?said={said}{_anchor(following)}", status_code=303)


def _anchor(following: str) -> str:
    try:
        return f"#p-{UUID(following)}"
    except ValueError:
        return ""


@router.get("/classes")
def classes(request: Request, plane: PlaneDep, visit: Reviewer) -> Response:
    """Documents whose class is uncertain."""
    found = plane.review.uncertain(AT_ONCE)
    about = _about(plane, found)
    begins = plane.review.beginnings([UUID(item["doc_id"]) for item in found])
    documents = [
        item | {"about": about[item["doc_id"]], "begins": begins.get(UUID(item["doc_id"]), "")}
        for item in found
        if item["doc_id"] in about
    ]
    counts = plane.review.counts()
    view: dict[str, Any] = {"documents": documents, "total": counts["uncertain"], "words": reviewing}
    return page(request, plane, visit, "data/review_classes.html", counts=counts, keys=3, **view)


@router.post("/classes/{doc_id}")
def classify(
    doc_id: UUID,
    plane: PlaneDep,
    visit: Reviewer,
    classification: Annotated[str, Form(max_length=40)],
    reason: Annotated[str, Form(max_length=40)] = "",
    following: Next = "",
) -> Response:
    """Say what a document is."""
    actor = visit.caller.subject
    return _done(
        f"{_ROOT}/classes",
        "classified",
        following,
        lambda: plane.review.classify(doc_id, classification, actor=actor, reason=reason, waiting=True),
    )


@router.get("/quarantine")
def quarantine(
    request: Request, plane: PlaneDep, visit: Reviewer, cursor: Annotated[UUID | None, Query()] = None
) -> Response:
    """Documents that are kept apart, and why."""
    found = plane.lists.documents(states=(State.QUARANTINED,), before=cursor, limit=50)
    view = {"documents": found["documents"], "next_cursor": found["next_cursor"]}
    return page(
        request,
        plane,
        visit,
        "data/review_quarantine.html",
        counts=plane.review.counts(),
        keys=2 if visit.has(Scope.ERASE) else 1,
        may_erase=visit.has(Scope.ERASE),
        **view,
    )


@router.post("/quarantine/{doc_id}")
def again(doc_id: UUID, plane: PlaneDep, visit: Reviewer, following: Next = "") -> Response:
    """Send a quarantined document through every gate again."""
    actor = visit.caller.subject
    return _done(f"{_ROOT}/quarantine", "sent_again", following, lambda: plane.review.retry(doc_id, actor=actor))
