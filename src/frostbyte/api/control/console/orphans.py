"""Leftovers: what carries our labels at a cloud and is nobody's. Whoever reads looks; admins remove what they mark."""

from __future__ import annotations

import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from frostbyte.api.control.access import ALL, READ, ControlDep
from frostbyte.api.control.console import telling
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.control.console.telling import Told
from frostbyte.api.control.orphans import sweeper_of
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.provisioning.sweep import Judged, Verdict
from frostbyte.control_plane.provisioning.sweeping import NOT_SEEN, Removal, Sweep
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Invalid

router = APIRouter(prefix="/console/orphans", include_in_schema=False)
MOST: Final = 20
"""Removed at once, as the API has it."""
WHY: Final = {
    Verdict.BUSY: "something is being made or taken away for its owner",
    Verdict.DATA: "it may hold a tenant's data",
    Verdict.YOUNG: "it was made less than an hour ago",
    Verdict.UNDATED: "nobody knows when it was made",
    Verdict.IN_USE: "something uses it that is left alone",
}
_REMOVED: Final = {"": "removed", NOT_SEEN: "was gone already"}
Reader = Annotated[Visit, visiting(READ)]


@router.get("")
def orphans(request: Request, control: ControlDep, visit: Reader, look: bool = False) -> Response:
    """What nobody owns. The clouds are asked only when somebody wants to know: it takes seconds."""
    sweep = sweeper_of(control).look() if look else None
    return _page(request, control, visit, sweep)


@router.post("/removal")
def remove(
    request: Request,
    control: ControlDep,
    visit: Annotated[Visit, visiting(ALL)],
    keys: Annotated[list[Annotated[str, Form(max_length=400)]], Form()] = [],  # noqa: B006  # read, never written
    confirm: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Remove what was marked, as far as it is an orphan still. How many they are is typed: nobody removes by a slip."""
    if not 0 < len(keys) <= MOST or confirm.strip() != str(len(keys)):
        raise Invalid(
            "confirmation_wrong",
            f"This cannot be undone: {len(keys)} things were marked, and another number was typed.",
            f"Mark 1 to {MOST} of them and type how many they are.",
        )
    swept = sweeper_of(control).clean(keys, visit.caller.subject)
    return _page(request, control, visit, sweeper_of(control).look(), swept.removals)


def _page(
    request: Request, control: ControlPlane, visit: Visit, sweep: Sweep | None, removals: tuple[Removal, ...] = ()
) -> Response:
    judged = sweep.judged if sweep is not None else ()
    return page(
        request,
        control,
        visit,
        "control/orphans.html",
        looked=sweep is not None,
        orphans=[_thing(one) for one in judged if one.verdict is Verdict.ORPHAN],
        left=[{**_thing(one), "why": WHY[one.verdict]} for one in judged if one.verdict in WHY],
        owned=sum(one.verdict is Verdict.OWNED for one in judged),
        blind=[{"project_id": one.project_id, "code": one.code} for one in sweep.blind] if sweep is not None else [],
        removals=[{"key": one.key, "well": one.code in _REMOVED, "said": _said(one.code)} for one in removals],
        may_remove=any(visit.caller.has(role) for role in ALL),
        most=MOST,
        key=secrets.token_urlsafe(16),
    )


def _said(code: str) -> str:
    return _REMOVED.get(code, f"left alone: {code}")


def _thing(one: Judged) -> Told:
    return {
        "key": one.key,
        "kind": telling.kind(one.found.kind.value),
        "name": one.found.name,
        "project_id": one.project_id,
        "tenant_id": one.tenant_id,
        "created_at": one.found.created_at,
    }
