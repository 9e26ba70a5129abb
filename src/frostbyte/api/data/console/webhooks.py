"""Who is told when a batch has ended: added, tried and removed by administrators."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.api.http.problems import STATUS
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Conflict, Forbidden, FrostbyteError, Invalid
from frostbyte.kernel.tokens import Scope
from frostbyte.kernel.webhooks.records import Fate

router = APIRouter(prefix="/console/webhooks", include_in_schema=False)
Administrator = Annotated[Visit, visiting(Scope.ADMIN)]
ROOT: Final = "/console/webhooks"
_PAGE: Final = 25


@router.get("")
def webhooks(request: Request, plane: PlaneDep, visit: Administrator) -> Response:
    """All of them, and how to add one."""
    return _list(request, plane, visit)


@router.post("")
def add(request: Request, plane: PlaneDep, visit: Administrator, url: Annotated[str, Form()] = "") -> Response:
    """Add one. The answer is the only page that ever shows its secret, so nothing leads elsewhere from it."""
    try:
        made = plane.webhooks.desk.add(url.strip(), actor=visit.caller.subject)
    except (Invalid, Forbidden, Conflict) as error:
        return _list(request, plane, visit, refusal=error, typed=url)
    return _secret(request, plane, visit, made, fresh=True)


@router.post("/hosts")
def name_hosts(request: Request, plane: PlaneDep, visit: Administrator, hosts: Annotated[str, Form()] = "") -> Response:
    """Change which servers may be told: a new version of the configuration."""
    try:
        plane.configuration.change(
            {"webhook_hosts": hosts.lower().split()},
            expected=plane.configuration.show()["version"],
            actor=visit.caller.subject,
        )
    except (Invalid, Conflict) as error:
        return _list(request, plane, visit, refusal=error, typed_hosts=hosts)
    return _done("", "done")


@router.get("/{webhook_id}")
def webhook(
    request: Request,
    plane: PlaneDep,
    visit: Administrator,
    webhook_id: UUID,
    state: Fate | None = None,
    before: UUID | None = None,
    tried: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = _PAGE,
) -> Response:
    """One of them, and what became of its messages."""
    found = plane.webhooks.desk.show(webhook_id)
    sent = plane.webhooks.desk.deliveries(webhook_id, state=state, before=before, limit=limit)
    view: dict[str, Any] = {"webhook": found, "sent": sent["deliveries"], "older": sent["cursor"], "first": not before}
    view["test"] = next((one for one in sent["deliveries"] if one["delivery_id"] == str(tried)), None)
    return page(request, plane, visit, "data/webhook.html", state=state.value if state else "", **view)


@router.post("/{webhook_id}/test")
def try_it(plane: PlaneDep, visit: Administrator, webhook_id: UUID) -> Response:
    """Send a message that says nothing, and show what came of it."""
    done = plane.webhooks.desk.test(webhook_id, actor=visit.caller.subject)
    return RedirectResponse(f"{ROOT}/{webhook_id}?tried={done['delivery_id']}", status_code=303)


@router.post("/{webhook_id}/secret")
def rotate(
    request: Request, plane: PlaneDep, visit: Administrator, webhook_id: UUID, stolen: Annotated[str, Form()] = ""
) -> Response:
    """Sign with a new secret, which only this answer shows."""
    made = plane.webhooks.desk.rotate(webhook_id, actor=visit.caller.subject, retire_old=bool(stolen))
    return _secret(request, plane, visit, made, fresh=False)


@router.post("/{webhook_id}/removal")
def remove(plane: PlaneDep, visit: Administrator, webhook_id: UUID) -> Response:
    """Tell it nothing more."""
    plane.webhooks.desk.remove(webhook_id, actor=visit.caller.subject)
    return _done("", "webhook_removed")


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry")
def retry(plane: PlaneDep, visit: Administrator, webhook_id: UUID, delivery_id: UUID) -> Response:
    """Send a message once more, at once."""
    plane.webhooks.desk.again(webhook_id, delivery_id)
    return _done(f"/{webhook_id}", "webhook_sent_again")


@router.post("/{webhook_id}/deliveries/{delivery_id}/removal")
def discard(plane: PlaneDep, visit: Administrator, webhook_id: UUID, delivery_id: UUID) -> Response:
    """Take a message that was given up off the list."""
    plane.webhooks.desk.discard(webhook_id, delivery_id, actor=visit.caller.subject)
    return _done(f"/{webhook_id}", "webhook_discarded")


def _list(
    request: Request,
    plane: Plane,
    visit: Visit,
    *,
    refusal: FrostbyteError | None = None,
    typed: str = "",
    typed_hosts: str | None = None,
) -> Response:
    view = plane.webhooks.desk.list()
    named = "\n".join(view["hosts"]) if typed_hosts is None else typed_hosts
    return page(
        *(request, plane, visit, "data/webhooks.html"),
        status=200 if refusal is None else STATUS[refusal.kind],
        refusal=refusal,
        about_hosts=typed_hosts is not None,
        typed=typed,
        named=named,
        directed=plane.obeying is not None,
        **view,
    )


def _secret(request: Request, plane: Plane, visit: Visit, made: dict[str, Any], *, fresh: bool) -> Response:
    return page(request, plane, visit, "data/webhook_secret.html", status=201, made=made, fresh=fresh)


def _done(path: str, said: str) -> Response:
    return RedirectResponse(f"{ROOT}{path}?said={said}", status_code=303)
