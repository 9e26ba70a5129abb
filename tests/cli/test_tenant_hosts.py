"""`frostbyte tenant hosts`: what OpenSSH reads of what it writes, and what it does not believe."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.fake_plane import Run
from control.memory_plane import Admin
from control.support.test_collecting import Office
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.support.hosts import Looking
from servers.lanes import need

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtleQ"
GATEWAY = {
    "name": "fb-acme-gateway", "address": "203.0.113.7", "port": 22, "user": "frostbyte", "host_key": KEY,
    "via": ["fb-bastion"], "between": False,
}  # fmt: skip
BASTION = GATEWAY | {"name": "fb-bastion", "address": "203.0.113.5", "via": [], "between": True}
WORKER = GATEWAY | {"name": "fb-acme-worker-1", "address": "10.7.1.20", "via": ["fb-bastion", "fb-acme-gateway"]}


@pytest.fixture
def says(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> Any:
    def say(*found: dict[str, Any]) -> str:
        monkeypatch.setattr("frostbyte.api.control.support.ways_of", lambda control, tenant_id: list(found))
        return admin.tenant("ACTIVE")

    return say


def read(folder: Path, name: str) -> dict[str, str]:
    need("sshd")
    done = subprocess.run(["ssh", "-G", "-F", str(folder / "config"), name], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_openssh_finds_the_way_and_believes_only_what_was_pinned(says: Any, run: Run, tmp_path: Path) -> None:
    tenant, folder = says(BASTION, GATEWAY, WORKER), tmp_path / "ssh"
    done = run("tenant", "hosts", tenant, "--ssh", str(folder))
    assert done.code == Exit.OK, done.err
    assert "fb-acme-worker-1" in done.out
    assert "203.0.113.5" not in done.out  # what lies between is no host of the tenant
    seen = read(folder, "fb-acme-worker-1")
    assert (seen["hostname"], seen["user"], seen["proxyjump"]) == ("10.7.1.20", "frostbyte", "fb-acme-gateway")
    assert seen["stricthostkeychecking"] == "true"
    assert seen["userknownhostsfile"] == str(folder / "known_hosts")
    assert read(folder, "fb-acme-gateway")["proxyjump"] == "fb-bastion"
    assert (folder / "known_hosts").read_text().splitlines()[0] == f"fb-bastion {KEY}"
    assert stat.S_IMODE((folder / "config").stat().st_mode) == 0o600


@pytest.mark.parametrize("field", ["name", "address", "user", "host_key"])
def test_what_is_no_name_or_key_is_written_nowhere(says: Any, run: Run, tmp_path: Path, field: str) -> None:
    tenant = says(GATEWAY | {field: "x\n  ProxyCommand touch /tmp/x", "via": []})
    done = run("tenant", "hosts", tenant, "--ssh", str(tmp_path / "ssh"))
    assert "host_unsafe" in done.err
    assert not (tmp_path / "ssh").exists()


def test_a_tenant_without_hosts_of_ours_has_none(admin: Admin, run: Run) -> None:
    assert run("tenant", "hosts", admin.tenant("ACTIVE"), "--json").json["hosts"] == []
    assert run("tenant", "hosts", "nobody").code == Exit.NOT_FOUND


def test_the_ways_are_those_of_the_journal() -> None:
    office = Office()
    office.stand()
    looking = Looking(office.unit_of_work, lambda project: office)  # type: ignore[arg-type, return-value]
    found = looking.ways(office.owner)
    assert [(one.name, one.address) for one in found] == [
        ("fb-acme-gateway", "10.7.1.9"),
        ("fb-acme-worker-1", "10.7.1.9"),
    ]
