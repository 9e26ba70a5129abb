"""What a plan reserves for each service is what its container may take, on the host that the plan puts it on."""

from __future__ import annotations

import pytest

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.resources import HostRole
from hosts.test_projects import ROLES, project


@pytest.mark.parametrize("role", ROLES)
def test_limits_are_those_of_the_plan(role: str) -> None:
    found = {name: service["mem_limit"] for name, service in project(role)["services"].items()}
    placed = {one.service: one for one in placement.TABLE if one.role is not HostRole.EDGE}
    assert set(found) == set(placement.services(HostRole(role)))
    assert found == {name: f"{placed[name].memory_mb}m" for name in found}
    assert sum(int(limit[:-1]) for limit in found.values()) == placement.needed_mb(HostRole(role))


@pytest.mark.parametrize("role", ROLES)
def test_what_a_plan_says_is_stored_lies_on_the_volume(role: str) -> None:
    stored = {one.service for one in placement.TABLE if one.stored}
    for name, service in project(role)["services"].items():
        folders = [one["source"] for one in service.get("volumes", []) if isinstance(one, dict)]
        if name in stored:
            assert all(folder.startswith("/srv/frostbyte/") for folder in folders), name
            assert folders, name
