"""A tenant is repaired: the real engine, duty, client and renderer; a simulated cloud, hosts and registry in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.hetzner.world.faults import Fault as SkyFault
from frostbyte.adapters.hosts.memory import Fault
from frostbyte.control_plane.provisioning.doing.volumes import KEY as VOLUME_KEY
from frostbyte.control_plane.provisioning.ports import HostFile
from frostbyte.control_plane.provisioning.resources import LUKS, VOLUME, Kind
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid
from upkeep.standing_site import ACME, FOLDER, Killed, StandingSite


class Site(StandingSite):
    """Acme stands."""

    def __init__(self, folder: Path, **request: Any) -> None:
        super().__init__(folder)
        self.stand(**request)

    def asked(self, *replace: str) -> OperationRow:
        request = {"replace": list(replace)}
        return self.foreman.begin("acme", OperationKind.REPAIR, request, actor="alice", reason="requested")

    def repair(self, *replace: str) -> OperationRow:
        return self.done(self.asked(*replace))

    def destroy(self, part: str) -> str:
        """Somebody deletes a server, in the console or by an accident of the cloud; its id."""
        gone = self.servers()[part].resource_id
        self.cloud.delete(Kind.SERVER, gone)
        return gone

    def facts(self, operation: OperationRow, step: str) -> dict[str, Any]:
        rows = self.operations.steps(operation.operation_id)
        return next(dict(row.facts) for row in rows if row.step == step)

    def events(self, type: EventType) -> list[Any]:
        with self.unit_of_work() as uow:
            return [event for event in uow.audit.unsequenced(10_000) if event.type == type]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def succeeded(site: Site, operation: OperationRow) -> None:
    assert operation.status is OperationStatus.SUCCEEDED, (operation.code, site.told(operation))


# -- servers that are gone ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("part", ["db", "worker-1", "gateway"])
def test_a_dead_server_is_replaced_in_its_role_at_its_address(site: Site, part: str) -> None:
    volume, address = site.volume().resource_id, site.servers()[part].facts["private_address"]
    gone = site.destroy(part)
    operation = site.repair()
    succeeded(site, operation)
    made = site.servers()[part]
    assert made.resource_id != gone
    assert made.facts["private_address"] == address
    assert site.volume().resource_id == volume
    assert site.volume().facts["server"] == site.servers()["db"].resource_id
    site.stands()
    removed = [event.details["cloud_id"] for event in site.events(EventType.RESOURCE_REMOVED)]
    assert removed == [gone]
    (told,) = site.events(EventType.TENANT_REPAIRED)
    assert told.details["count"] >= 1
    assert told.details["remaining"] == 0


@pytest.mark.slow
def test_a_tenant_on_one_server_is_replaced_with_its_volume(tmp_path: Path) -> None:
    site = Site(tmp_path, shape="small")
    volume = site.volume().resource_id
    site.destroy("single")
    succeeded(site, site.repair())
    assert site.volume().resource_id == volume
    site.stands()


@pytest.mark.slow
def test_all_servers_at_once(site: Site) -> None:
    volume = site.volume().resource_id
    for part in list(site.servers()):
        site.destroy(part)
    succeeded(site, site.repair())
    assert site.volume().resource_id == volume
    site.stands()


@pytest.mark.slow
def test_the_encrypted_volume_is_opened_by_its_new_host_and_never_made_anew(site: Site) -> None:
    key = site.vault.open(ACME)[VOLUME_KEY]
    site.destroy("db")
    succeeded(site, site.repair())
    assert site.vault.open(ACME)[VOLUME_KEY] == key
    assert site.volume().labels[VOLUME] == LUKS
    ran = [line for line in site.disk("db").ran if "frostbyte-volume" in line]
    assert next(line.split()[-1] for line in ran if not line.endswith("state")) == "open"
    assert not [line for line in ran if line.endswith("make")]


@pytest.mark.slow
def test_a_new_server_goes_where_the_volume_is_whatever_is_sold_there(site: Site) -> None:
    place, was = site.volume().facts["location"], site.servers()["db"].facts["type"]
    site.destroy("db")
    site.sky.fault(SkyFault(name="stock_out", times=0, options={"type": was, "location": place}))
    succeeded(site, site.repair())
    made = site.servers()["db"]
    assert made.facts["location"] == place
    assert made.facts["type"] != was
    site.stands()


def test_a_volume_that_is_gone_is_never_made_anew(site: Site) -> None:
    volume = site.volume().resource_id
    site.cloud.detach(volume)
    site.cloud.delete(Kind.VOLUME, volume)
    site.destroy("db")
    site.taps.said.clear()
    operation = site.repair()
    assert operation.code == "volume_lost"
    assert site.taps.said == []


@pytest.mark.slow
def test_the_engine_itself_makes_no_volume_anew_for_a_tenant_in_service(site: Site) -> None:
    """Whoever changes the tenant's hosts meanwhile: a scaling finds what a repair would have."""
    volume = site.volume().resource_id
    site.cloud.detach(volume)
    site.cloud.delete(Kind.VOLUME, volume)
    operation = site.scale(workers=2)
    assert operation.code == "volume_lost"
    assert [one for one in site.cloud.observe(ACME) if one.kind is Kind.VOLUME] == []


# -- what is there and not as it was made ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_server_that_is_off_is_started_and_stays_the_same(site: Site) -> None:
    was = site.servers()["worker-1"].resource_id
    site.cloud.stop(was)
    succeeded(site, site.repair())
    assert site.servers()["worker-1"].resource_id == was
    site.stands()


@pytest.mark.slow
def test_a_volume_that_hangs_nowhere_comes_back_to_its_server_while_that_is_off(site: Site) -> None:
    site.cloud.detach(site.volume().resource_id)
    site.taps.said.clear()
    succeeded(site, site.repair())
    order = [what for what in site.taps.said if what in ("before shut_down", "before attach", "before start")]
    assert order[:3] == ["before shut_down", "before attach", "before start"]
    site.stands()


@pytest.mark.slow
def test_a_record_that_leads_elsewhere_leads_to_the_edge_again(site: Site) -> None:
    entry = site.entries()["record"]
    site.world.dns.remove(entry.spec["zone"], entry.spec["name"], "A")
    succeeded(site, site.repair())
    site.stands()


@pytest.mark.slow
def test_what_somebody_added_is_left_alone_and_said(site: Site) -> None:
    from frostbyte.control_plane.provisioning.resources import WantedNetwork

    network = site.cloud.create_network(
        WantedNetwork(name="extra", labels={}, cidr="10.99.0.0/16", subnet="10.99.1.0/24", zone="eu-central")
    )
    worker = site.servers()["worker-1"].resource_id
    site.cloud.join(worker, network.resource_id, "10.99.1.5")
    operation = site.repair()
    succeeded(site, operation)
    (line,) = site.facts(operation, "compared")["left"]
    assert "Take it away" in line
    assert network.resource_id in site.servers()["worker-1"].facts["networks"]


@pytest.mark.slow
def test_containers_that_ended_are_brought_up_though_the_cloud_shows_nothing(site: Site) -> None:
    for part in ("db", "gateway", "worker-1"):
        site.disk(part).running.clear()
    operation = site.repair()
    succeeded(site, operation)
    assert site.facts(operation, "hosts_mended") == {"run": False}
    site.stands()


# -- servers that are there and do not answer ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_silent_host_is_switched_off_and_on_and_kept(site: Site) -> None:
    was = site.servers()["db"]
    site.hosts.faults.append(Fault("host_unreachable", host="fb-acme-db", operation="run", times=2))
    succeeded(site, site.repair())
    assert [what for what in site.taps.said if what in ("before stop", "before start")][:2] == [
        "before stop",
        "before start",
    ]
    assert site.servers()["db"].resource_id == was.resource_id
    site.stands()


@pytest.mark.slow
def test_a_host_that_stays_silent_is_replaced_only_by_its_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostbyte.control_plane.upkeep.repairing.WAKE_PAUSE", 0.0)
    was = site.servers()["db"].resource_id
    site.hosts.faults.append(Fault("host_unreachable", host="fb-acme-db", times=-1))
    operation = site.repair()
    assert operation.code == "host_dead"
    assert site.servers()["db"].resource_id == was
    asked = site.asked("db")
    site.hosts.faults.clear()
    succeeded(site, site.done(asked))
    assert site.servers()["db"].resource_id != was
    site.stands()


@pytest.mark.slow
def test_while_nobody_passes_the_bastion_nothing_is_switched_off(site: Site) -> None:
    site.hosts.faults.append(Fault("host_unreachable", host="fb-bastion", times=-1))
    operation = site.repair()
    assert operation.code == "bastion_silent"
    assert not [what for what in site.taps.said if "stop" in what]


def test_names_of_hosts_that_are_none_are_refused(site: Site) -> None:
    with pytest.raises(Invalid) as caught:
        site.asked("worker-7")
    assert caught.value.code == "repair_unfit"


# -- bad luck ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_at_once_are_refused(site: Site) -> None:
    site.asked()
    with pytest.raises(Conflict) as caught:
        site.asked()
    assert caught.value.code == "operation_running"


@pytest.mark.slow
def test_a_tenant_that_moves_is_refused(site: Site) -> None:
    from frostbyte.control_plane.registry.states import Move

    told: dict[str, Any] = {"actor": "alice", "reason": "requested", "confirmation": "acme"}
    site.operations.begin("acme", Move.DEPROVISION, **told, request={"destroy_data": False})
    with pytest.raises(FrostbyteError):
        site.asked()


@pytest.mark.slow
def test_killed_at_every_moment_it_goes_on_and_no_volume_is_lost(tmp_path: Path) -> None:
    """Each life dies at its first tap, its second ...; the next one begins anew with the same operation."""
    site = Site(tmp_path)
    volume = site.volume().resource_id
    site.destroy("db")
    operation, lives = site.asked(), 0
    for kill_at in range(1, 400):
        site.restart()
        site.taps.kill_at = kill_at
        lives += 1
        try:
            ended = site.done(operation)
        except Killed:
            continue
        if ended.status is not OperationStatus.RUNNING:
            break
    site.taps.kill_at = 0
    succeeded(site, site.operations.show(operation.operation_id))
    assert lives > 10
    assert site.volume().resource_id == volume
    assert len(site.servers()) == 3
    site.stands()


@pytest.mark.slow
def test_where_its_run_fails_the_volume_stays_and_the_next_repair_ends_well(site: Site) -> None:
    volume = site.volume().resource_id
    site.destroy("db")
    site.hosts.faults.append(Fault("host_command_failed", host="fb-acme-db", operation="task", times=-1))
    operation = site.repair()
    assert operation.status is OperationStatus.FAILED
    assert site.volume().resource_id == volume
    site.hosts.faults.clear()
    succeeded(site, site.repair())
    assert site.volume().resource_id == volume
    assert set(site.disk("db").running) == {FOLDER}
    site.stands()


# -- keys that sign ----------------------------------------------------------------------------------------------------

SIGNING = "/opt/frostbyte/signing"
KEPT = "/srv/frostbyte/signing-kept"


def own_keys(site: Site, log_key: bytes = b"l" * 32) -> None:
    """As a gateway makes them at its first start, and a repair finds them."""
    files = site.disk("gateway").files
    for name, content in (("log.key", log_key), ("token.key", b"t" * 32)):
        path = f"{SIGNING}/{name}"
        files[path] = HostFile(path=path, content=content, mode=0o600, owner="10001:10001")
    site.cloud.stop(site.servers()["gateway"].resource_id)


@pytest.mark.slow
def test_a_gateway_that_is_made_anew_signs_on_with_the_same_keys(site: Site) -> None:
    own_keys(site)
    succeeded(site, site.repair())
    own = dict(site.disk("gateway").files)
    assert site.disk("db").files[f"{KEPT}/log.key"].content == b"l" * 32
    site.destroy("gateway")
    succeeded(site, site.repair())
    made = site.disk("gateway").files
    for name in ("log.key", "token.key"):
        assert made[f"{SIGNING}/{name}"] == own[f"{SIGNING}/{name}"]
    said = site.taps.said
    assert said.index("after put gateway") < said.index("before up gateway")


@pytest.mark.slow
def test_another_key_never_takes_the_place_of_the_one_that_signed(site: Site) -> None:
    own_keys(site)
    succeeded(site, site.repair())
    own_keys(site, b"x" * 32)
    operation = site.repair()
    assert operation.code == "signing_keys_differ"
    assert site.disk("db").files[f"{KEPT}/log.key"].content == b"l" * 32
