"""What a plan reserves for each service is what its container may take, on the host that the plan puts it on."""

from __future__ import annotations

import pytest

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.hosting import Keeping
from frostbyte.control_plane.provisioning.resources import HostRole
from hosts.test_projects import ROLES, files, project

KEPT = {
    "keeping": Keeping(
        url="https://hel1.example/b/tenants/acme",
        endpoint="hel1.example:443",
        recipients=("age1a", "age1b"),
        access_key="who",
        secret_key="canary-of-the-place",
    )
}


def test_what_keeps_a_plane_has_its_keys_in_files_and_its_way_out() -> None:
    way = {"ways_out": ("hel1.example:443",)}
    service = project("gateway", KEPT, **way)["services"]["plane-backup"]
    told = service["environment"]
    assert told["FROSTBYTE_BACKUP_URL"] == "https://hel1.example/b/tenants/acme"
    assert told["FROSTBYTE_BACKUP_RECIPIENTS"] == "age1a,age1b"
    assert told["FROSTBYTE_EGRESS_PROXY"].startswith("http://egress-proxy:")
    assert told["FROSTBYTE_BACKUP_SECRET_KEY_FILE"] == "/run/secrets/backup-secret-key"
    assert "FROSTBYTE_BACKUP_CA_FILE" not in told
    written = files("gateway", KEPT, **way)
    assert written["/opt/frostbyte/secrets/backup-secret-key"].content == b"canary-of-the-place\n"
    assert b"canary" not in written["/opt/frostbyte/docker-compose.yml"].content
    for role in ("worker", "db"):
        assert not any("backup" in path for path in files(role, KEPT, **way))
    assert "plane-backup" not in project("gateway", **way)["services"]


@pytest.mark.parametrize("role", ROLES)
def test_limits_are_those_of_the_plan(role: str) -> None:
    found = {name: service["mem_limit"] for name, service in project(role, KEPT)["services"].items()}
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
