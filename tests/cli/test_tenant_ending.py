"""`frostbyte tenant deprovision --dry-run`."""

from __future__ import annotations

import pytest

from cli.fake_plane import Run
from control.http.test_ending_api import held, stands
from control.memory_plane import Admin
from control.provisioned import Provisioned
from frostbyte.cli.exits import Exit


@pytest.fixture
def hosts(admin: Admin) -> Provisioned:
    return Provisioned(admin)


def test_it_shows_what_would_go_and_what_would_stay_and_asks_for_nothing(
    run: Run, admin: Admin, hosts: Provisioned
) -> None:
    tenant = admin.tenant()
    stands(admin, tenant, hosts)
    told = run("tenant", "deprovision", tenant, "--dry-run")
    assert told.code == Exit.OK, told.err
    for words in (f"fb-{tenant}-db", "destroyed", f"fb-{tenant}-data", "stays, and is paid for", "unknown", "sealed"):
        assert words in told.out, words
    assert "Nothing was changed" in told.err
    assert admin.state(tenant) == "ACTIVE"
    whole = run("tenant", "deprovision", tenant, "--dry-run", "--destroy-data")
    assert "stays" not in whole.out
    assert run("tenant", "deprovision", tenant, "--dry-run", "--json").json["state"] == "ACTIVE"


def test_what_it_would_be_refused_for_ends_it_with_three(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    stands(admin, tenant, hosts)
    held(admin, tenant, 2)
    told = run("tenant", "deprovision", tenant, "--dry-run")
    assert told.code == Exit.PROBLEMS
    assert "2 legal holds are in force" in told.err
    assert "frostbyte hold list" in told.err
    assert admin.state(tenant) == "ACTIVE"


def test_a_tenant_without_hosts_of_ours_is_told_apart(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant("ACTIVE")
    told = run("tenant", "deprovision", tenant, "--dry-run")
    assert told.code == Exit.OK, told.err
    assert "has no hosts of ours" in told.out
