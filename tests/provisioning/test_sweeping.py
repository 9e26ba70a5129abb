"""The sweeper at work: a simulated project, a registry in memory, and whatever can happen in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace as replaced

from control.registry_rows import NOW, add_tenant, operation, project, tenant
from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.dns.memory import memory_dns
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import memory_cloud
from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.provisioning.journal import Direction, RunRow, RunState
from frostbyte.control_plane.provisioning.resources import (
    Kind,
    Owner,
    WantedNetwork,
    WantedRecord,
    WantedServer,
    WantedVolume,
)
from frostbyte.control_plane.provisioning.sweep import Verdict
from frostbyte.control_plane.provisioning.sweeping import Blind, Removal, Sweeper
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.kernel.errors import Unavailable

ZONE = "frostbyte.test"
RUN = UUID(int=1)
HOUR = timedelta(hours=1)


@dataclass
class Site:
    cloud: HetznerCloud
    dns: HetznerDns


class House:
    """One project with a token, one without, and a tenant."""

    def __init__(self) -> None:
        self.clock = HandClock(NOW)
        self.world = World(clock=self.clock)
        token = self.world.token()
        self.site = Site(memory_cloud(self.world, token, "production"), memory_dns(self.world, token))
        self.site.dns._calls.ask("POST", "/zones", body={"name": ZONE, "mode": "primary"})
        self.store = MemoryRegistry()
        self.sweeper = Sweeper(self.store.unit_of_work, "production", self.clock, self.open)
        with self.store.unit_of_work() as uow:
            for name in ("blind", "north"):
                uow.projects.add(project(name))
            uow.projects.add(project("elsewhere", environment="staging"))
            uow.commit()
        self.tenant("acme")

    def open(self, project_id: str) -> Site:
        if project_id == "north":
            return self.site
        assert project_id == "blind", "another environment's project is not opened"
        raise Unavailable("cloud_token_missing", "There is none.")

    def tenant(self, tenant_id: str, octet: int = 1) -> None:
        with self.store.unit_of_work() as uow:
            add_tenant(uow, tenant(tenant_id, octet=octet))
            uow.commit()

    def owner(self, tenant_id: str = "acme", environment: str = "production") -> Owner:
        return Owner(environment=environment, project_id="north", tenant_id=tenant_id)

    def make(self, owner: Owner) -> list[str]:
        """One of each that hang together."""
        cloud, labels = self.site.cloud, owner.labels(RUN, "any")
        octet = 7 + len(self.world.project().networks)
        net = cloud.create_network(
            WantedNetwork(
                name=owner.name("net"),
                labels=labels,
                cidr=f"10.{octet}.0.0/16",
                subnet=f"10.{octet}.1.0/24",
                zone="eu-central",
            )
        )
        server = cloud.create_server(
            WantedServer(
                name=owner.name("db"), labels=labels, type="cx33", location="fsn1", image="debian-13", user_data=""
            )
        )
        volume = cloud.create_volume(WantedVolume(name=owner.name("data"), labels=labels, size_gb=10, location="fsn1"))
        cloud.join(server.resource_id, net.resource_id, f"10.{octet}.1.20")
        cloud.attach(volume.resource_id, server.resource_id)
        name = f"{owner.tenant_id or 'control'}.{owner.environment}"
        self.site.dns.put(WantedRecord(zone=ZONE, name=name, type="A", values=("192.0.2.1",), labels=labels))
        ids = (f"server/{server.resource_id}", f"volume/{volume.resource_id}", f"network/{net.resource_id}")
        return [f"record/{ZONE}/{name}/A", *ids]

    def audit(self) -> list[tuple[str, str, str, str]]:
        with self.store.unit_of_work() as uow:
            rows = [row for row in uow.audit.unsequenced(1000) if row.details.get("component") == "sweeper"]
        return [(row.type, row.tenant_id, row.actor, row.details["cloud_id"]) for row in rows]

    def run(self, owner: Owner) -> None:
        """A run of the owner goes on."""
        row = RunRow(
            run_id=UUID(int=9),
            environment=owner.environment,
            project_id=owner.project_id,
            tenant_id=owner.tenant_id,
            direction=Direction.UP,
            state=RunState.RUNNING,
            request={},
            plan={},
            fence=1,
            holder="",
            leased_until=None,
            started_at=NOW,
            ended_at=None,
            code="",
        )
        with self.store.unit_of_work() as uow:
            uow.journal.begin(row)
            uow.commit()

    def verdicts(self) -> dict[str, Verdict]:
        return {one.key: one.verdict for one in self.sweeper.look(HOUR).judged}


@pytest.fixture
def house() -> House:
    return House()


def test_looking_touches_nothing_and_says_what_it_could_not_see(house: House) -> None:
    keys = house.make(house.owner())
    house.make(house.owner("beta", "staging"))
    assert {*house.verdicts().values()} == {Verdict.UNDATED, Verdict.YOUNG}
    house.clock.advance(3600)
    before = house.world.bill().owned
    sweep = house.sweeper.look(HOUR)
    assert {one.key: one.verdict for one in sweep.judged} == dict(
        zip(keys, (Verdict.UNDATED, Verdict.ORPHAN, Verdict.ORPHAN, Verdict.ORPHAN), strict=True)
    )
    assert all(one.project_id == "north" for one in sweep.judged)
    assert sweep.blind == (Blind(project_id="blind", code="cloud_token_missing"),)
    assert house.world.bill().owned == before
    assert house.audit() == []


def test_what_was_confirmed_goes_in_safe_order_and_is_audited_before(house: House) -> None:
    keys = house.make(house.owner())
    strange = house.make(house.owner("beta", "staging"))
    house.clock.advance(3600)
    order: list[str] = []
    house.site.cloud._calls.tap = lambda when, method, path: (  # type: ignore[attr-defined]
        order.append(f"{path.removeprefix('/').replace('s/', '/')} {len(house.audit())}")
        if (when, method) == ("before", "DELETE")
        else None
    )
    swept = house.sweeper.clean(keys[1:], "alice", HOUR)
    assert swept.removals == tuple(Removal(key=key) for key in keys[1:])
    assert order == [f"{key} {1 + 2 * at}" for at, key in enumerate(keys[1:])], "each is intended before the call"
    left = {one.key for one in house.sweeper.look(HOUR).judged}
    assert left == {keys[0]}
    assert len(house.world.bill().owned) >= len(strange), "another environment's things stay"
    ids = [key.partition("/")[2] for key in keys[1:]]
    assert house.audit() == [
        (type, "acme", "alice", id) for id in ids for type in ("ORPHAN_CONFIRMED", "RESOURCE_REMOVED")
    ]


def test_only_what_was_confirmed_goes(house: House) -> None:
    keys = house.make(house.owner())
    house.clock.advance(3600)
    swept = house.sweeper.clean([keys[3], "server/1", "nonsense"], "alice", HOUR)
    assert swept.removals == (
        Removal(key=keys[3], code="in_use"),
        Removal(key="server/1", code="not_seen"),
        Removal(key="nonsense", code="not_seen"),
    ), "its server was not confirmed, so it stays"
    assert {one.key for one in house.sweeper.look(HOUR).judged} == set(keys)


def test_what_has_found_an_owner_meanwhile_stays(house: House) -> None:
    keys = house.make(house.owner())
    house.clock.advance(3600)
    look = house.sweeper.look

    def late(grace: timedelta) -> object:
        swept = look(grace)
        house.run(house.owner())
        return swept

    house.sweeper.look = late  # type: ignore[method-assign, assignment]
    swept = house.sweeper.clean(keys, "alice", HOUR)
    assert {one.code for one in swept.removals} == {"busy", "undated"}
    assert len(house.world.bill().owned) >= 4


def test_one_that_fails_does_not_hold_the_others(house: House) -> None:
    keys = house.make(house.owner())
    other = house.make(house.owner("zeta"))
    house.clock.advance(3600)
    house.world.fault(Fault(name="server_error", match=f"DELETE /servers/{keys[1].partition('/')[2]}"))
    swept = house.sweeper.clean([*keys, *other], "alice", HOUR)
    codes = {one.key: one.code for one in swept.removals}
    assert codes[keys[1]] == "cloud_server_error"
    assert codes[other[1]] == ""
    assert codes[other[2]] == "data", "the register does not know this tenant: nobody can say what is on its volume"
    assert ("ORPHAN_CONFIRMED", "control", "alice", other[1].partition("/")[2]) in house.audit()


@pytest.mark.parametrize("status", [OperationStatus.SUCCEEDED, OperationStatus.FAILED])
def test_a_volume_stays_if_its_tenant_was_ever_active(house: House, status: OperationStatus) -> None:
    keys = house.make(house.owner())
    house.clock.advance(3600)
    row = operation(kind=OperationKind.PROVISION)
    with house.store.unit_of_work() as uow:
        uow.operations.add(row)
        uow.operations.end(replaced(row, status=status, ended_at=NOW, code=""))
        uow.commit()
    active = status is OperationStatus.SUCCEEDED
    assert house.verdicts()[keys[2]] is (Verdict.DATA if active else Verdict.ORPHAN)
    swept = house.sweeper.clean(keys, "alice", HOUR)
    assert {one.key: one.code for one in swept.removals}[keys[2]] == ("data" if active else "")


def test_a_record_goes_once_its_run_is_known_to_have_ended(house: House) -> None:
    keys = house.make(house.owner())
    with house.store.unit_of_work() as uow:
        row = RunRow(
            run_id=RUN,
            environment="production",
            project_id="north",
            tenant_id="acme",
            direction=Direction.UP,
            state=RunState.RUNNING,
            request={},
            plan={},
            fence=1,
            holder="",
            leased_until=None,
            started_at=NOW,
            ended_at=None,
            code="",
        )
        uow.journal.begin(row)
        uow.commit()
    assert house.verdicts()[keys[0]] is Verdict.BUSY
    with house.store.unit_of_work() as uow:
        taken = uow.journal.take(RUN, "one", NOW, NOW + HOUR)
        assert taken is not None
        uow.journal.put_run(replaced(taken, state=RunState.FAILED, ended_at=NOW, holder="", leased_until=None))
        uow.commit()
    assert house.verdicts()[keys[0]] is Verdict.YOUNG
    house.clock.advance(3600)
    swept = house.sweeper.clean(keys, "alice", HOUR)
    assert [one.code for one in swept.removals] == [""] * 4
    assert house.world.bill().empty
    assert house.site.cloud.find(Kind.SERVER, "fb-acme-db") is None
