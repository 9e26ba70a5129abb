"""How every tenant is: one view, worst first, each reason with the section of the runbook that says what to do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from frostbyte.api.control import examples
from frostbyte.api.control.access import READ, ControlDep, TenantId, needs
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.watch.verdict import Level
from frostbyte.control_plane.watch.view import TenantHealth, TenantWatch
from frostbyte.kernel.errors import NotFound, Unavailable
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["health"])
Reader = Annotated[Caller, needs(READ)]
_LEVELS = {level.word: level for level in Level}


@router.get("/health", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.HEALTH))
def every(
    control: ControlDep,
    caller: Reader,
    level: Annotated[str, Query(pattern=r"^(ok|warn|critical)$", description="Only so bad or worse.")] = "ok",
    cursor: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> dict[str, Any]:
    """Tenants by name, with what was last seen of each; `cursor` of the answer is where the next page begins."""
    watch = _watch(control.switching.watch if control.switching else None)
    tenants = watch.tenants()
    least = _LEVELS[level]
    fitting = [item for item in tenants if item.verdict.level >= least and item.tenant_id > cursor]
    return {
        "level": max((item.verdict.level for item in tenants), default=Level.OK).word,
        "counts": {name: sum(item.verdict.level is each for item in tenants) for name, each in _LEVELS.items()},
        "age_seconds": _round(watch.age_seconds()),
        "tenants": [shown(item) for item in fitting[:limit]],
        "cursor": fitting[limit - 1].tenant_id if len(fitting) > limit else None,
    }


@router.get("/health/{tenant_id}", responses=responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.WELL))
def one(tenant_id: TenantId, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """One tenant."""
    found = _watch(control.switching.watch if control.switching else None).tenant(tenant_id)
    if found is None:
        raise NotFound("tenant_not_found", "There is no such tenant.", "Check the id; `tenant list` shows all.")
    return shown(found)


def _watch(watch: TenantWatch | None) -> TenantWatch:
    if watch is None or watch.age_seconds() is None:
        raise Unavailable(
            "health_not_seen", "The tenants were not looked at yet.", "Ask again: it is done within seconds of a start."
        )
    return watch


def shown(item: TenantHealth) -> dict[str, Any]:
    """A tenant as the API shows it."""
    seen = item.seen
    return {
        "tenant_id": item.tenant_id,
        "project_id": item.project_id,
        "state": seen.state.value,
        "level": item.verdict.level.word,
        "reasons": [
            {"level": each.level.word, "code": each.code, "message": each.message, "runbook": each.runbook}
            for each in item.verdict.reasons
        ],
        "edge_status": seen.edge_status,
        "acknowledged": seen.acknowledged,
        "answered_seconds": _round(seen.answered_seconds),
        "channel_code": seen.channel_code or None,
        "ledger_seconds": _round(seen.ledger_seconds),
        "ledger_lag_events": seen.ledger_lag_events,
        "gateway_ready": seen.gateway_ready,
        "stored_bytes": seen.stored_bytes,
        "quota_bytes": seen.quota_bytes,
        "oldest_job_seconds": _round(seen.oldest_job_seconds),
        "signatures_age_seconds": _round(seen.signatures_age_seconds),
        "signatures_limit_seconds": _round(seen.signatures_limit_seconds),
        "signatures_trouble": seen.signatures_trouble or None,
        "intake_refused": seen.intake_refused or None,
        "certificate_seconds": _round(seen.certificate_seconds),
        "backup_seconds": _round(seen.backup_seconds),
        "model": item.model or None,
        "version": item.version or None,
        "stand_ins": list(seen.stand_ins),
        "alerts": list(seen.alerts),
    }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
