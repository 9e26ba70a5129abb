"""What deprovisioning would do: everything is tried, what stands in the way is said, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from control.memory_plane import Admin
from control.provisioned import Provisioned
from frostbyte.api.control.ending import ENDING
from frostbyte.control_plane.registry.records import StandingRow
from frostbyte.kernel.tokens import Role
from provisioning.planning import carried_out

Refused = Callable[[Any, int, str], dict[str, Any]]


@pytest.fixture
def hosts(admin: Admin) -> Provisioned:
    return Provisioned(admin)


def ending(admin: Admin, tenant: str, **how: Any) -> Any:
    return admin.call("GET", f"/tenants/{tenant}/ending", **how).json()


def stands(admin: Admin, tenant: str, hosts: Provisioned) -> None:
    admin.made(f"/tenants/{tenant}/provision", {})
    hosts.left = carried_out(hosts.plan(tenant).plan)


def held(admin: Admin, tenant: str, holds: int) -> None:
    """What its plane said last."""
    with admin.control.store.unit_of_work() as uow:
        row = uow.tenants.get(tenant)
        assert row is not None
        uow.standings.put(
            StandingRow(
                tenant_id=tenant,
                acknowledged_version=row.standing_version,
                acknowledged_at=row.created_at,
                code="",
                holds=holds,
            )
        )
        uow.commit()


@pytest.mark.parametrize("destroys", [True, False])
def test_what_would_go_and_what_would_stay(destroys: bool, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    stands(admin, tenant, hosts)
    before, begun = admin.call("GET", f"/tenants/{tenant}").json(), list(hosts.begun)
    found = ending(admin, tenant, params={"destroy_data": destroys}, token=admin.token(Role.VIEWER))
    assert found.keys() == ENDING.keys()
    assert (found["state"], found["problems"]) == ("ACTIVE", [])
    volumes = [row["name"] for row in found["destroyed" if destroys else "kept"] if row["kind"] == "volume"]
    assert volumes == [f"fb-{tenant}-data"]
    assert found["kept"] == [] or not destroys
    names = [row["name"] for row in found["destroyed"] if row["kind"] == "server"]
    assert f"fb-{tenant}-db" in names
    steps = [row["step"] for row in found["destroyed"]]
    assert steps.index("server.db") < steps.index("network"), "in the order in which they go"
    assert admin.call("GET", f"/tenants/{tenant}").json() == before, "nothing was changed"
    assert hosts.begun == begun


def test_a_volume_that_nobody_was_served_from_does_not_stay(admin: Admin, hosts: Provisioned) -> None:
    """Its provisioning failed half way: there is no data of anybody on it, and it would cost on."""
    tenant = admin.tenant()
    hosts.left = carried_out(hosts.plan(tenant).plan)
    found = ending(admin, tenant)
    assert found["kept"] == []
    assert f"fb-{tenant}-data" in [row["name"] for row in found["destroyed"]]


@pytest.mark.parametrize(("holds", "codes"), [(0, []), (2, ["tenant_held"])])
def test_legal_holds_are_counted_and_stand_in_the_way(
    holds: int, codes: list[str], admin: Admin, hosts: Provisioned
) -> None:
    tenant = admin.tenant()
    stands(admin, tenant, hosts)
    assert ending(admin, tenant)["holds"] is None, "its plane never said"
    held(admin, tenant, holds)
    found = ending(admin, tenant)
    assert found["holds"] == holds
    assert [one["code"] for one in found["problems"]] == codes
    assert all(one["remedy"] for one in found["problems"])
    assert admin.state(tenant) == "ACTIVE"


def test_a_move_that_is_not_possible_is_said_too(admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    held(admin, tenant, 1)
    assert [one["code"] for one in ending(admin, tenant)["problems"]] == ["tenant_held", "move_illegal"]


def test_a_plane_that_was_attached_by_hand_has_no_hosts(admin: Admin, refused: Refused) -> None:
    tenant = admin.tenant("ACTIVE")
    found = ending(admin, tenant)
    assert (found["destroyed"], found["kept"], found["problems"]) == ([], [], [])
    asked = admin.call("GET", f"/tenants/{tenant}/ending", params={"destroy_data": True})
    refused(asked, 503, "provisioning_missing")
    refused(admin.call("GET", "/tenants/nobody/ending"), 404, "tenant_not_found")
