"""A key of the control plane goes only when every plane that is still told something has heard of the next one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import NOW, event, project, tenant
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.killswitch.hearing import MARGIN, checked, unheard
from frostbyte.control_plane.registry.records import EndpointsRow, StandingRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.errors import Conflict

S = TenantState
PATHS = {
    S.PENDING: [],
    S.PROVISIONING: [S.PROVISIONING],
    S.ACTIVE: [S.PROVISIONING, S.ACTIVE],
    S.SUSPENDED: [S.PROVISIONING, S.ACTIVE, S.SUSPENDED],
    S.DEPROVISIONING: [S.PROVISIONING, S.ACTIVE, S.DEPROVISIONING],
    S.DEPROVISIONED: [S.PROVISIONING, S.ACTIVE, S.DEPROVISIONING, S.DEPROVISIONED],
    S.FAILED: [S.PROVISIONING, S.FAILED],
}


@pytest.fixture
def registry() -> MemoryRegistry:
    """With one project."""
    store = MemoryRegistry()
    with store.unit_of_work() as uow:
        uow.projects.add(project())
        uow.commit()
    return store


def enter(
    store: MemoryRegistry, tenant_id: str, state: TenantState, heard: timedelta | None, *, octet: int = 1
) -> None:
    """A tenant in a state, whose plane answered so long after NOW, or never."""
    row: Any = None
    for step in (None, *PATHS[state]):
        with store.unit_of_work() as uow:
            said = event(tenant_id)
            uow.audit.append(said)
            if row is None:
                row = replace(tenant(tenant_id, octet=octet), last_event_id=said.event_id)
                uow.tenants.add(row)
            else:
                row = replace(
                    row,
                    state=step,
                    failed=Failed.PROVISION if step is S.FAILED else Failed.NOTHING,
                    octet=None if step is S.DEPROVISIONED else row.octet,
                    version=row.version + 1,
                    standing_version=row.standing_version + 1,
                    last_event_id=said.event_id,
                )
                uow.tenants.put(row)
            uow.commit()
    with store.unit_of_work() as uow:
        url = "https://127.0.0.1:9"
        uow.endpoints.put(
            EndpointsRow(
                tenant_id=tenant_id, gateway_url=url, channel_url=url, ca_pem="x", log_key="k", registered_at=NOW
            )
        )
        if heard is not None:
            at = NOW + heard
            uow.standings.put(
                StandingRow(tenant_id=tenant_id, acknowledged_version=row.standing_version, acknowledged_at=at, code="")
            )
        uow.commit()


def count(store: MemoryRegistry, made_at: Any = NOW) -> int:
    """How many have not heard of a key made then."""
    with store.unit_of_work() as uow:
        return unheard(uow, made_at)


@pytest.mark.parametrize("state", [S.PROVISIONING, S.ACTIVE, S.SUSPENDED])
@pytest.mark.parametrize(
    ("heard", "missing"),
    [(None, 1), (timedelta(0), 1), (MARGIN - timedelta(seconds=1), 1), (MARGIN, 0), (timedelta(days=1), 0)],
)
def test_a_plane_has_heard_when_it_answered_well_after_the_key_was_made(
    state: TenantState, heard: timedelta | None, missing: int, registry: MemoryRegistry
) -> None:
    enter(registry, "acme", state, heard)
    assert count(registry) == missing
    assert count(registry, None) == 1, "a key that is not made yet was heard of by nobody"


@pytest.mark.parametrize("state", [S.PENDING, S.DEPROVISIONED, S.FAILED])
def test_who_is_told_nothing_is_not_waited_for(state: TenantState, registry: MemoryRegistry) -> None:
    enter(registry, "acme", state, None)
    assert count(registry) == count(registry, None) == 0


def test_a_plane_that_is_closed_for_good_needs_no_word(registry: MemoryRegistry) -> None:
    enter(registry, "gone", S.DEPROVISIONING, timedelta(0))
    assert count(registry) == 0
    enter(registry, "going", S.DEPROVISIONING, None, octet=2)
    assert count(registry) == 1


def test_the_refusal_says_how_many(registry: MemoryRegistry) -> None:
    enter(registry, "acme", S.ACTIVE, timedelta(0))
    enter(registry, "bolt", S.SUSPENDED, None, octet=2)
    enter(registry, "core", S.ACTIVE, MARGIN, octet=3)
    with pytest.raises(Conflict, match=r"^2 planes") as refused:
        checked(registry.unit_of_work)(NOW)
    assert refused.value.code == "key_still_needed"
    assert "acme" not in refused.value.message
