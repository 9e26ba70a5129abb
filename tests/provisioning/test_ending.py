"""The end of an environment that was only tried: nothing is left that costs money, and nothing else is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from frostbyte.adapters.dns.memory import MemoryDns
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.bootstrap.expiry import Expiry
from frostbyte.control_plane.provisioning.ending import end_everything
from frostbyte.control_plane.provisioning.resources import (
    Found,
    HostRole,
    Kind,
    Owner,
    Rule,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedRecord,
    WantedServer,
    WantedSshKey,
    WantedVolume,
)
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.kernel.ids import new_id
from provisioning.scripted import Clock

BASE = Owner(environment="try", project_id="p")
ACME = Owner(environment="try", project_id="p", tenant_id="acme")
LATE = Owner(environment="try", project_id="p", tenant_id="late")
OTHER = Owner(environment="production", project_id="p", tenant_id="beta")


class Sky:
    """A project with a base, a tenant, and somebody else's tenant."""

    def __init__(self) -> None:
        self.world = World()
        calls = WorldCalls(self.world, self.world.token())
        self.cloud = HetznerCloud(calls, "try", waiting_in(self.world, calls))
        self.others = HetznerCloud(calls, "production", waiting_in(self.world, calls))
        self.dns = MemoryDns(["frostbyte.example"])
        run = new_id()
        labels = BASE.labels(run, "x")
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH0N3WQ1m0JqgKFvNS1tLTg2ZVXnUSLzGYV1D2hTzUtT"
        self.cloud.create_ssh_key(WantedSshKey(name=BASE.name("key"), labels=labels, public_key=key))
        address = self.cloud.create_primary_ip(WantedPrimaryIp(name=BASE.name("edge"), labels=labels, location="nbg1"))
        rule = Rule(direction="in", protocol="tcp", port="443", addresses=("0.0.0.0/0",), description="")
        wall = self.cloud.create_firewall(
            WantedFirewall(name=BASE.name("edge"), labels=labels, rules=(rule,), selector="frostbyte-role=edge")
        )
        self.edge = self.cloud.create_server(
            WantedServer(
                name=BASE.name("edge"),
                labels=BASE.labels(run, "server.edge", HostRole.EDGE),
                type="cx23",
                location="nbg1",
                image="debian-13",
                user_data="",
                firewalls=(wall.resource_id,),
                public=True,
                primary_ip=address.resource_id,
            )
        )
        self.tenant(self.cloud, ACME)
        self.tenant(self.others, OTHER)
        self.dns.put(
            WantedRecord(
                zone="frostbyte.example", name="acme.pipeline", type="A", values=("198.18.0.9",), labels=labels
            )
        )

    def tenant(self, cloud: HetznerCloud, owner: Owner) -> None:
        labels = owner.labels(new_id(), "x")
        cidr = {"acme": "10.7.0.0/16", "beta": "10.8.0.0/16", "late": "10.9.0.0/16"}[owner.tenant_id]
        network = cloud.create_network(
            WantedNetwork(
                name=owner.name("net"),
                labels=labels,
                cidr=cidr,
                subnet=cidr.replace(".0.0/16", ".1.0/24"),
                zone="eu-central",
            )
        )
        server = cloud.create_server(
            WantedServer(
                name=owner.name("db"), labels=labels, type="cx23", location="nbg1", image="debian-13", user_data=""
            )
        )
        cloud.join(server.resource_id, network.resource_id, cidr.replace(".0.0/16", ".1.20"))
        volume = cloud.create_volume(WantedVolume(name=owner.name("db"), labels=labels, size_gb=10, location="nbg1"))
        cloud.attach(volume.resource_id, server.resource_id)
        cloud.start(server.resource_id)

    def of(self, cloud: HetznerCloud) -> list[Found]:
        return cloud.observe()

    def end(self, own: str) -> list[str]:
        return end_everything(self.cloud, self.dns, environment="try", own_server=own, pause=lambda: None)


def test_from_elsewhere_nothing_is_left_and_other_environments_are_untouched() -> None:
    sky = Sky()
    before = {(one.kind, one.name) for one in sky.of(sky.others)}
    assert sky.end("") == []
    assert sky.of(sky.cloud) == []
    assert sky.dns.observe() == []
    assert {(one.kind, one.name) for one in sky.of(sky.others)} == before


def test_names_of_other_environments_stay() -> None:
    sky = Sky()
    theirs = OTHER.labels(new_id(), "record")
    zone, values = "frostbyte.example", ("198.18.0.8",)
    sky.dns.put(WantedRecord(zone=zone, name="beta.pipeline", type="A", values=values, labels=theirs))
    assert sky.end("") == []
    assert [one.name for one in sky.dns.observe()] == ["beta.pipeline"]


@pytest.mark.parametrize("own", [True, False])
def test_what_was_just_being_made_is_found_by_another_look(own: bool) -> None:
    sky = Sky()
    sky.cloud = Late(sky.cloud, lambda: sky.tenant(sky.cloud, LATE))  # type: ignore[assignment]
    assert sky.end(sky.edge.resource_id if own else "") == []
    assert {one.kind for one in sky.of(sky.cloud)} <= {Kind.FIREWALL}


def test_the_own_host_goes_last_with_its_address_and_only_its_firewall_stays() -> None:
    sky = Sky()
    assert sky.end(sky.edge.resource_id) == []
    assert [(one.kind, one.name) for one in sky.of(sky.cloud)] == [(Kind.FIREWALL, "fb-edge")]
    deletions = [seen.path for seen in sky.world.requests if seen.method == "DELETE" and "/servers/" in seen.path]
    assert deletions[-1].endswith(sky.edge.resource_id)


@pytest.mark.parametrize("fault", ["server_error", "locked", "lost_reply", "resource_in_use"])
def test_what_does_not_go_at_once_is_tried_again(fault: str) -> None:
    sky = Sky()
    sky.world.fault(Fault(name=fault, match="DELETE .*", times=2))
    assert sky.end(sky.edge.resource_id) == []
    assert [(one.kind, one.name) for one in sky.of(sky.cloud)] == [(Kind.FIREWALL, "fb-edge")]


def test_what_does_not_go_at_all_is_named() -> None:
    sky = Sky()
    (volume,) = [one for one in sky.of(sky.cloud) if one.kind is Kind.VOLUME]
    sky.world.fault(Fault(name="locked", match=f"DELETE /volumes/{volume.resource_id}", times=0))
    assert sky.end(sky.edge.resource_id) == ["volume fb-acme-db"]


def test_a_try_ends_at_its_moment_and_not_before() -> None:
    sky, base = Sky(), Owner(environment="try", project_id="p")
    registry, clock = MemoryRegistry(), Clock()
    Projects(registry.unit_of_work, "try", clock).create("p", actor="operator")
    ends = clock.now() + timedelta(hours=2)
    there: list[int] = []
    halt = lambda: there.append(len(sky.of(sky.cloud)))  # noqa: E731
    clouds = lambda _: sky.cloud, lambda _: sky.dns
    expiry = Expiry(ends, clock, registry.unit_of_work, lambda: [base], *clouds, halt)
    stop = Stops(4)
    clock.pass_(7199)
    expiry.run(stop)
    assert there == []
    assert len(sky.of(sky.cloud)) > 5
    clock.pass_(1)
    expiry.run(Stops(4))
    assert sky.of(sky.cloud) == []
    assert len(there) == 1
    assert there[0] > 5, "whoever makes things is stopped before anything is taken away"


class Late:
    """A cloud in which something is ordered while the first server is being deleted."""

    def __init__(self, cloud: HetznerCloud, order: Callable[[], None]) -> None:
        self._cloud, self._order = cloud, order
        self._ordered = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)

    def delete(self, kind: Kind, resource_id: str) -> None:
        self._cloud.delete(kind, resource_id)
        if not self._ordered:
            self._ordered = True
            self._order()


class Stops(threading.Event):
    """Set after so many waits, which take no time."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def wait(self, timeout: float | None = None) -> bool:
        self._looks -= 1
        return self._looks < 0
