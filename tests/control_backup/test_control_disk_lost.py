"""The control plane's disk is lost: tenants keep serving, and what is restored knows all that was made since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_backup.ground import Ground, sky
from frostbyte.bootstrap.control_backup import brought_up
from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.registry.states import TenantState
from servers.lanes import need

pytestmark = pytest.mark.slow


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    need("sops")
    with sky() as serving:
        yield Ground(tmp_path, serving, monkeypatch)


def test_all_that_is_younger_than_the_backup_is_known_again(ground: Ground) -> None:
    with ground.control() as plane:
        ground.base(plane)
        ground.provision(plane, "acme", shape="standard", workers=1)
        taken = ground.backup(plane)
        assert (taken.verdict.ok, taken.verdict.facts["trial"], taken.verdict.facts["tenants"]) == (True, "loaded", 1)
        ground.grow(plane, "acme", workers=2)
        ground.provision(plane, "beta", shape="small")
        before = {(row.tenant_id, row.kind, row.resource_id) for row in ground.owned(plane)}
    ground.lose()
    done = ground.restored()
    assert not done.again
    report = brought_up(ground.settings, done)
    with ground.control() as plane:
        assert {(row.tenant_id, row.kind, row.resource_id) for row in ground.owned(plane)} == before
        assert plane.tenants.show("beta").state is TenantState.ACTIVE
        worker = next(row for row in ground.entries(plane, "acme") if row.key == "server.worker-2")
        assert worker.state is EntryState.DONE
        assert plane.provisioning is not None
        planned = plane.provisioning.plan("acme").plan
        standings = planned.facts["standings"]
        assert {key: value for key, value in standings.items() if key.startswith("server.")} == {
            "server.gateway": "done",
            "server.worker-1": "done",
            "server.worker-2": "done",
            "server.db": "done",
        }
        assert plane.sweeper is not None
        assert plane.sweeper.look().orphans == ()
    codes = {(person.about, person.code) for person in report.adopted.persons}
    assert ("beta", "tenant_keys_lost") in codes
    assert ("fb-acme-worker-2", "host_key_unknown") in codes
    assert report.adopted.told.tenants == ["beta"]
