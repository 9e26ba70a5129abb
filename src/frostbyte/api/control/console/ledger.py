"""The ledger: whether every plane's log holds, and what was found wrong with any."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.control.access import CHANGE, LEDGER, READ, ControlDep
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.control.console.telling import REASONS, Told, figure
from frostbyte.api.control.ledger import acknowledged, found, ledger_of
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.bootstrap.ledger import lag
from frostbyte.console import words
from frostbyte.control_plane.ledger.follow import Standing
from frostbyte.control_plane.ledger.records import Alert
from frostbyte.control_plane.watch.verdict import LEDGER_SECONDS
from frostbyte.kernel.accounts.sessions import Visit

router = APIRouter(prefix="/console/ledger", include_in_schema=False)
PAGE: Final = 50
Reader = Annotated[Visit, visiting(READ)]
FINDINGS: Final = {
    "gap": "events are missing",
    "fork": "its key signed two histories",
    "rollback": "it went back behind what it had signed",
    "altered": "events were changed",
    "signature_wrong": "a checkpoint is not signed by its key",
    "foreign_events": "it shows another tenant's events",
    "malformed": "it shows what is no log",
    "chain_broken": "a document's events do not follow each other",
    "silence": "it has not answered for too long",
}
"""What can be found, as people say it."""


@router.get("")
def ledger(request: Request, control: ControlDep, visit: Reader, all: bool = False) -> Response:
    """Every log, and the alerts: open ones, or all."""
    kept, now = ledger_of(control), control.clock.now()
    standings = kept.follower.standings()
    with kept.store.unit_of_work() as uow:
        alerts = uow.alerts(open_only=not all, limit=PAGE + 1)
    logs = [_log(item, control) for item in standings]
    behind = [lag(item, now).seconds for item in standings]
    worst = max((seconds for seconds in behind if seconds is not None), default=None)
    bad = sum(item.finding is not None for item in standings)
    return page(
        request,
        control,
        visit,
        "control/ledger.html",
        figures=[
            figure("Logs followed", words.count(len(standings)), about=f"{bad} of them with a finding" if bad else ""),
            figure("Events held", words.count(sum(item.size for item in standings))),
            figure("Furthest behind", "nothing to follow" if worst is None else words.seconds(worst)),
        ],
        trouble=kept.follower.trouble,
        witness_key=kept.witness_key,
        all=all,
        alerts=[_alert(each) for each in alerts[:PAGE]],
        more_alerts=len(alerts) > PAGE,
        logs=logs,
    )


@router.get("/alerts/{alert_id}")
def alert(alert_id: UUID, request: Request, control: ControlDep, visit: Reader) -> Response:
    """One alert; for auditors with what shows it."""
    each = found(control, alert_id)
    auditor = any(visit.caller.has(role) for role in LEDGER)
    return page(
        request,
        control,
        visit,
        "control/alert.html",
        alert=_alert(each),
        evidence=each.row.evidence.decode(errors="backslashreplace") if auditor else None,
        may_acknowledge=each.ending is None and any(visit.caller.has(role) for role in CHANGE),
        reasons={"looked_into": "It was looked into"} | REASONS,
    )


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge(
    alert_id: UUID,
    control: ControlDep,
    visit: Annotated[Visit, visiting(CHANGE)],
    reason: Annotated[str, Form(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "looked_into",
    other: Annotated[str, Form(pattern=r"^([a-z][a-z0-9_]{0,63})?$")] = "",
) -> Response:
    """Take notice: the log is tried again from where it stopped."""
    acknowledged(control, alert_id, visit.caller.subject, other or reason)
    return RedirectResponse("/console/ledger?said=acknowledged", status_code=303)


def _log(item: Standing, control: ControlPlane) -> Told:
    behind = lag(item, control.clock.now())
    seconds = behind.seconds
    if item.finding is not None:
        badge, said = "bad", FINDINGS[item.finding.value]
    elif seconds is None:
        badge, said = "hold", "never held whole"
    elif seconds > LEDGER_SECONDS[0]:
        badge, said = "hold", "behind"
    else:
        badge, said = "ok", "holds"
    return {
        "tenant_id": item.plane.tenant_id,
        "badge": badge,
        "said": said,
        "code": item.row.code,
        "size": item.size,
        "lacking": behind.events or 0,
        "behind": "not yet" if seconds is None else f"{words.seconds(seconds)} ago",
        "heard_at": item.row.heard_at,
    }


def _alert(each: Alert) -> Told:
    row, ending = each.row, each.ending
    return {
        "id": str(row.alert_id),
        "tenant_id": row.tenant_id,
        "finding": row.finding.value,
        "said": FINDINGS[row.finding.value],
        "stops": row.finding.stops and ending is None,
        "open": ending is None,
        "message": row.message,
        "size": row.size,
        "position": row.position,
        "raised_at": row.raised_at,
        "ended_at": ending.ended_at if ending else None,
        "ended_by": ending.actor if ending else "",
        "reason": ending.reason if ending else "",
    }
