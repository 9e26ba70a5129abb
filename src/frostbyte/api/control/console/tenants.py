"""All tenants: where each stands, how it is, what it costs; and what needs somebody now."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.control.access import READ, ControlDep
from frostbyte.api.control.console import telling
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.control.console.telling import STATES, Told, figure
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.console import words
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.watch.verdict import Level
from frostbyte.control_plane.watch.view import INTERVAL_SECONDS
from frostbyte.kernel.accounts.sessions import Visit

router = APIRouter(prefix="/console", include_in_schema=False)
PAGE: Final = 50
NEEDING: Final = 8
"""Tenants that are named as needing somebody; the others are a link."""
RUNNING: Final = 10
_STALE: Final = 4 * INTERVAL_SECONDS
_LEVELS: Final = {level.word: level for level in Level}


@router.get("/")
def first(visit: Annotated[Visit, visiting(READ)]) -> Response:
    """Where one comes to after signing in."""
    return RedirectResponse("/console/tenants", status_code=303)


@router.get("/tenants")
def tenants(
    request: Request,
    control: ControlDep,
    visit: Annotated[Visit, visiting(READ)],
    state: TenantState | Literal[""] = "",
    level: Annotated[str, Query(pattern=r"^(ok|warn|critical)$")] = "ok",
    prefix: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
    after: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
) -> Response:
    """The list, filtered as the query says, below what is to be known first."""
    lines, more = control.roll.page(state=state or None, level=_LEVELS[level], prefix=prefix, after=after, limit=PAGE)
    asked = {"state": state, "level": level if level != "ok" else "", "prefix": prefix}
    narrowed = {name: str(value) for name, value in asked.items() if value}
    with control.store.unit_of_work() as uow:
        running = list(reversed(uow.operations.running()))[:RUNNING]
    needing = _needing(control)
    return page(
        request,
        control,
        visit,
        "control/tenants.html",
        figures=_figures(control),
        view_age=_view_age(control),
        needing=needing[:NEEDING],
        needing_more=max(len(needing) - NEEDING, 0),
        running=[telling.operation(row, control.clock) for row in running],
        heading="Tenants that fit" if narrowed else "All tenants",
        asked={"state": str(state), "level": level, "prefix": prefix, "any": bool(narrowed or after)},
        states=[(each.value, said) for each, said in STATES.items()],
        tenants=[telling.line(line) for line in lines],
        more=f"/console/tenants?{urlencode(narrowed | {'after': more})}" if more else "",
    )


def _figures(control: ControlPlane) -> list[Told]:
    """The whole in a few numbers."""
    counts = dict.fromkeys(TenantState, 0)
    for tally in control.tenants.tally():
        counts[tally.state] += tally.count
    there = sum(count for state, count in counts.items() if state is not TenantState.DEPROVISIONED)
    others = [
        f"{count} {STATES[state].lower()}"
        for state, count in counts.items()
        if count and state not in (TenantState.ACTIVE, TenantState.DEPROVISIONED)
    ]
    active = counts[TenantState.ACTIVE]
    figures = [figure("Tenants", words.count(there), about=", ".join([f"{active} active", *others]))]
    costs = control.costs.all()
    if costs:
        base = [cost for (_, tenant_id), cost in costs.items() if not tenant_id]
        about = f"of it {telling.costs(base)} for what all share" if base else "net, by the plans"
        figures.append(figure("Cost a month", telling.costs(costs.values()), about=about))
    if control.ledger is not None:
        alerts = sum(len(codes) for codes in control.ledger.findings().values())
        about = "nobody has looked into them" if alerts else "every log holds"
        figures.append(figure("Ledger alerts", words.count(alerts), about=about, href="/console/ledger"))
    figures.append(_own_backup(control))
    return figures


def _own_backup(control: ControlPlane) -> Told:
    """How old the control plane's own backup is."""
    standing, label = control.backups.standing, "Own backup"
    if not standing.on:
        return figure(label, "off", about="no place for backups was named")
    trouble = f"{words.count(standing.failed, 'failure')} since ({standing.code})" if standing.failed else ""
    if standing.good_at is None:
        return figure(label, "none yet", about=trouble or "since this process started")
    age = words.seconds(max((control.clock.now() - standing.good_at).total_seconds(), 0.0))
    return figure(label, f"{age} ago", about=trouble)


def _view_age(control: ControlPlane) -> str:
    """A warning where nobody has looked at tenants for too long."""
    if control.switching is None:
        return ""
    age = control.switching.watch.age_seconds()
    if age is None:
        return "The tenants were not looked at yet: health is shown within seconds of a start."
    return (
        f"The tenants were last looked at {words.seconds(age)} ago; their health may be another."
        if age > _STALE
        else ""
    )


def _needing(control: ControlPlane) -> list[Told]:
    """Tenants that are not simply well, worst first."""
    if control.switching is None:
        return []
    found = [item for item in control.switching.watch.tenants() if item.verdict.level > Level.OK]
    found.sort(key=lambda item: (-item.verdict.level, item.tenant_id))
    return [{"tenant_id": item.tenant_id, **telling.health(item)} for item in found]
