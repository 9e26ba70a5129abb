"""What support needs, collected: ids, codes, states, sizes and counts; no content, no address, no secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter

from frostbyte import __version__
from frostbyte.api.control import examples
from frostbyte.api.control.access import CHANGE, ControlDep, TenantId, needs
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.support.rows import Section
from frostbyte.kernel.clock import iso
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["support"])
Operator = Annotated[Caller, needs(CHANGE)]
_HOSTS = responses(401, 403, 404, 409, 422, 429, 503) | examples.answer(examples.HOSTS)
_ANSWERS = responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.SUPPORT)


@router.get("/support", responses=_ANSWERS)
def collect(control: ControlDep, caller: Operator) -> dict[str, Any]:
    """How the control plane is and what it does. Audited."""
    return _shown(control.support.control(caller.subject), iso(control.clock.now()))


@router.get("/support/{tenant_id}", responses=_ANSWERS)
def collect_of_tenant(tenant_id: TenantId, control: ControlDep, caller: Operator) -> dict[str, Any]:
    """One tenant, and each of its hosts that is ours: minutes where one does not answer. Audited."""
    return _shown(control.support.tenant(tenant_id, caller.subject), iso(control.clock.now()))


@router.get("/tenants/{tenant_id}/hosts", responses=_HOSTS)
def hosts(tenant_id: TenantId, control: ControlDep, caller: Operator) -> dict[str, Any]:
    """Where a tenant's hosts are, through which others each is reached, and the SSH key that each must show."""
    return {"tenant_id": tenant_id, "hosts": ways_of(control, tenant_id)}


def ways_of(control: ControlPlane, tenant_id: str) -> list[dict[str, Any]]:
    """Each host once, those between before what they lead to."""
    found: dict[str, dict[str, Any]] = {}
    for host in control.support.ways(tenant_id):
        for number, hop in enumerate(host.via):
            found.setdefault(hop.name, _way(hop, host.via[:number]) | {"between": True})
        found[host.name] = _way(host, host.via) | {"between": False}
    return list(found.values())


def _way(host: HostAddress, via: Sequence[HostAddress]) -> dict[str, Any]:
    return {
        "name": host.name,
        "address": host.address,
        "port": host.port,
        "user": host.user,
        "host_key": host.host_key,
        "via": [each.name for each in via],
    }


def _shown(sections: list[Section], at: str) -> dict[str, Any]:
    return {
        "collected_at": at,
        "version": __version__,
        "sections": [{"title": one.title, "lines": list(one.lines)} for one in sections],
    }
