"""One suite for the cloud in memory and for hcloud over the simulator's HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.pace import Pace
from frostbyte.adapters.hetzner.waiting import AT_ONCE, Waiting
from frostbyte.adapters.hetzner.world.faults import KINDS, Fault
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.serving import Serving
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import (
    Found,
    HostRole,
    Kind,
    Owner,
    Rule,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedServer,
    WantedSshKey,
    WantedVolume,
)
from hetzner.places import ENVIRONMENT, Place

ACME = Owner(environment=ENVIRONMENT, project_id="main", tenant_id="acme")
ZETA = Owner(environment=ENVIRONMENT, project_id="main", tenant_id="zeta")
OTHER = Owner(environment="production", project_id="main", tenant_id="acme")
RUN = UUID(int=7)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIcXwNkuVwUbLKkVdCiEYQYpWwkSZEFBQUFBQUFBQUFB frostbyte"


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with Serving(World()) as serving:
        yield serving


@pytest.fixture(params=["memory", "hcloud"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    tapped: list[tuple[str, str, str]] = []

    def hear(when: str, method: str, path: str) -> None:
        tapped.append((when, method, path))

    if request.param == "memory":
        world = World()
        calls = WorldCalls(world, world.token(), tap=hear)
        yield Place(world, calls, waiting_in(world, calls), lambda token: WorldCalls(world, token), tapped)
        return
    serving = request.getfixturevalue("served")
    world = serving.world
    http = HcloudCalls(world.token(f"project-{len(world.projects)}"), serving.endpoint, tap=hear)
    yield Place(world, http, Waiting(http, AT_ONCE), lambda token: HcloudCalls(token, serving.endpoint), tapped)
    world.clear_faults()


def network(owner: Owner = ACME, octet: int = 7) -> WantedNetwork:
    return WantedNetwork(
        name=owner.name("net"),
        labels=owner.labels(RUN, "network"),
        cidr=f"10.{octet}.0.0/16",
        subnet=f"10.{octet}.1.0/24",
        zone="eu-central",
    )


def server(part: str = "db", owner: Owner = ACME, **more: Any) -> WantedServer:
    wanted = WantedServer(
        name=owner.name(part),
        labels=owner.labels(RUN, f"server.{part}", HostRole.DB),
        type="cx33",
        location="fsn1",
        image="debian-13",
        user_data="#cloud-config\n",
    )
    return replace(wanted, **more)


def volume(name: str = "fb-acme-data", owner: Owner = ACME) -> WantedVolume:
    return WantedVolume(name=name, labels=owner.labels(RUN, "volume"), size_gb=20, location="fsn1")


def firewall(*rules: Rule, selector: str = "") -> WantedFirewall:
    return WantedFirewall(name="fb-gateways", labels=ACME.labels(RUN, "firewall"), rules=rules, selector=selector)


HTTPS = Rule(direction="in", protocol="tcp", port="443", addresses=("0.0.0.0/0", "::/0"), description="everybody")
PING = Rule(direction="in", protocol="icmp", port="", addresses=("192.0.2.0/24",), description="us")
OUT = Rule(direction="out", protocol="udp", port="any", addresses=("192.0.2.1/32",), description="time")


def seen(place: Place, one: Found) -> Found:
    there = place.cloud.show(one.kind, one.resource_id)
    assert there is not None
    return there


def test_the_catalogue_says_what_is_sold(place: Place) -> None:
    catalogue = place.cloud.catalogue()
    assert place.calls.requests == 3
    sold = catalogue.types["cx33"]
    assert (sold.architecture, sold.cores, sold.memory_mb, sold.disk_gb) == ("x86", 4, 8192, 80)
    assert sold.offers["fsn1"].available
    assert Decimal(1) < sold.offers["fsn1"].monthly < Decimal(50)
    assert sold.offers["fsn1"].hourly < sold.offers["fsn1"].monthly / 600
    assert catalogue.types["cax21"].architecture == "arm"
    assert (catalogue.locations["nbg1"].zone, catalogue.locations["nbg1"].country) == ("eu-central", "DE")
    assert catalogue.currency == "EUR"
    assert catalogue.volume_gb_month > 0
    assert catalogue.snapshot_gb_month > 0
    assert catalogue.primary_ip_month["fsn1"] > 0
    place.world.stock("cx33", "fsn1", False)
    try:
        assert not place.cloud.catalogue().types["cx33"].offers["fsn1"].available
    finally:
        place.world.stock("cx33", "fsn1", True)
    ending = [one for kind in catalogue.types.values() for one in kind.offers.values() if one.deprecated]
    assert ending, "the catalogue of the simulator has types that go away"
    assert all(one.deprecated.tzinfo is not None for one in ending if one.deprecated)


def test_a_private_server_with_a_volume_is_made_joined_started_and_taken_away(place: Place) -> None:
    cloud = place.cloud
    net = cloud.create_network(network())
    assert net.facts["cidr"] == "10.7.0.0/16"
    assert net.facts["subnets"] == [{"cidr": "10.7.1.0/24", "zone": "eu-central"}]
    made = cloud.create_server(server())
    off = seen(place, made)
    assert (off.facts["status"], off.facts["public_address"], off.facts["private_address"]) == ("off", "", "")
    assert (off.facts["type"], off.facts["location"], off.facts["image"]) == ("cx33", "fsn1", "debian-13")
    assert ACME.owns(off.labels)
    with pytest.raises(CloudError) as caught:
        cloud.start(made.resource_id)
    assert caught.value.code == "cloud_invalid", "a server without any interface is not started"
    cloud.join(made.resource_id, net.resource_id, "10.7.1.20")
    disk = cloud.create_volume(volume())
    assert (disk.facts["size_gb"], disk.facts["location"], disk.facts["server"]) == (20, "fsn1", "")
    cloud.attach(disk.resource_id, made.resource_id)
    cloud.start(made.resource_id)
    on = seen(place, made)
    assert (on.facts["status"], on.facts["private_address"]) == ("running", "10.7.1.20")
    assert (on.facts["networks"], on.facts["volumes"]) == ([net.resource_id], [disk.resource_id])
    assert seen(place, disk).facts["server"] == made.resource_id
    assert seen(place, disk).facts["device"].endswith(disk.resource_id)
    assert seen(place, net).facts["servers"] == [made.resource_id]
    cloud.stop(made.resource_id)
    assert seen(place, made).facts["status"] == "off"
    cloud.detach(disk.resource_id)
    cloud.detach(disk.resource_id)
    for one in (made, disk, net):
        cloud.delete(one.kind, one.resource_id)
        assert cloud.show(one.kind, one.resource_id) is None
        cloud.delete(one.kind, one.resource_id)
    cloud.detach(disk.resource_id)
    assert cloud.observe() == []


def test_a_public_server_has_its_address_and_its_firewall_from_the_beginning(place: Place) -> None:
    cloud = place.cloud
    wall = cloud.create_firewall(firewall(HTTPS, PING, OUT, selector="frostbyte-role==gateway"))
    assert [rule["port"] for rule in wall.facts["rules"]] == ["443", "", "any"]
    assert wall.facts["rules"][1]["addresses"] == ["192.0.2.0/24"]
    assert wall.facts["selectors"] == ["frostbyte-role==gateway"]
    address = cloud.create_primary_ip(
        WantedPrimaryIp(name="fb-edge", labels=ACME.labels(RUN, "primary_ip"), location="fsn1")
    )
    assert (address.facts["location"], address.facts["assignee"]) == ("fsn1", "")
    key = cloud.create_ssh_key(WantedSshKey(name="fb-key", labels=ACME.labels(RUN, "ssh_key"), public_key=KEY))
    assert key.facts["public_key"] == KEY
    made = cloud.create_server(
        server(
            "gateway",
            labels=ACME.labels(RUN, "server.gateway", HostRole.GATEWAY),
            public=True,
            primary_ip=address.resource_id,
            ssh_keys=(key.resource_id,),
            firewalls=(wall.resource_id,),
        )
    )
    there = seen(place, made)
    assert there.facts["public_address"] == address.facts["address"]
    assert there.facts["firewalls"] == [wall.resource_id]
    assert seen(place, wall).facts["servers"] == [made.resource_id]
    assert seen(place, address).facts["assignee"] == made.resource_id
    cloud.set_rules(wall.resource_id, firewall(HTTPS))
    assert [rule["port"] for rule in seen(place, wall).facts["rules"]] == ["443"]
    assert seen(place, wall).facts["selectors"] == ["frostbyte-role==gateway"]
    cloud.start(made.resource_id)
    for one in (address, wall):
        with pytest.raises(CloudError) as caught:
            cloud.delete(one.kind, one.resource_id)
        assert caught.value.code == "cloud_in_use"
    cloud.delete(Kind.SERVER, made.resource_id)
    assert seen(place, address).facts["assignee"] == "", "it outlives its server"
    for one in (address, key, wall):
        cloud.delete(one.kind, one.resource_id)
    assert cloud.observe() == []


def test_what_a_server_got_by_itself_goes_with_it(place: Place) -> None:
    made = place.cloud.create_server(server("gateway", public=True))
    assert made.facts["public_address"]
    place.cloud.delete(Kind.SERVER, made.resource_id)
    assert place.calls.ask("GET", "/primary_ips")["primary_ips"] == []


def test_a_snapshot_is_found_by_its_name_and_makes_servers(place: Place) -> None:
    cloud = place.cloud
    builder = cloud.create_server(server("builder", public=True))
    labels = ACME.labels(RUN, "snapshot")
    taken = cloud.snapshot(builder.resource_id, "fb-host-x86-0123", labels)
    assert (taken.kind, taken.name, taken.labels) == (Kind.SNAPSHOT, "fb-host-x86-0123", labels)
    assert (taken.facts["status"], taken.facts["architecture"]) == ("available", "x86")
    found = cloud.find(Kind.SNAPSHOT, "fb-host-x86-0123")
    assert found is not None
    assert found.resource_id == taken.resource_id
    assert cloud.find(Kind.SNAPSHOT, "debian-13") is None
    made = cloud.create_server(server("db", image=taken.resource_id))
    assert seen(place, made).facts["image"] == taken.resource_id
    assert [one.resource_id for one in cloud.observe() if one.kind is Kind.SNAPSHOT] == [taken.resource_id]
    for one in (made, builder, taken):
        cloud.delete(one.kind, one.resource_id)
    assert cloud.observe() == []


@pytest.mark.slow
def test_only_what_is_ours_is_observed_and_every_page_of_it(place: Place) -> None:
    cloud = place.cloud
    mine = [cloud.create_volume(volume(f"fb-acme-{number}")) for number in range(53)]
    place.calls.ask("POST", "/volumes", body={"name": "theirs", "size": 10, "location": "fsn1"})
    cloud.create_network(network(ZETA, 8))
    cloud.create_network(replace(network(OTHER, 9), name="fb-other"))
    assert {one.name for one in cloud.observe()} == {one.name for one in mine} | {"fb-zeta-net"}
    before = place.calls.requests
    assert {one.resource_id for one in cloud.observe(ACME)} == {one.resource_id for one in mine}
    assert place.calls.requests - before == 8, "one a kind, and one for the second page"
    assert [one.name for one in cloud.observe(OTHER)] == ["fb-other"]
    assert all(one.created_at.endswith("+00:00") for one in cloud.observe())
    theirs = cloud.find(Kind.VOLUME, "theirs")
    assert theirs is not None
    assert not ACME.owns(theirs.labels)
    assert cloud.find(Kind.VOLUME, "nothing") is None
    assert cloud.show(Kind.VOLUME, "1") is None
    assert cloud.show(Kind.VOLUME, "../servers") is None


def test_labels_are_replaced(place: Place) -> None:
    made = place.cloud.create_network(network())
    place.cloud.label(Kind.NETWORK, made.resource_id, ZETA.labels(RUN, "other"))
    assert seen(place, made).labels == ZETA.labels(RUN, "other")


def test_what_is_so_already_is_no_error(place: Place) -> None:
    cloud = place.cloud
    net, made, disk = cloud.create_network(network()), cloud.create_server(server()), cloud.create_volume(volume())
    for _ in range(2):
        cloud.join(made.resource_id, net.resource_id, "10.7.1.20")
        cloud.attach(disk.resource_id, made.resource_id)
    with pytest.raises(CloudError):
        cloud.join(made.resource_id, net.resource_id, "10.7.1.21")
    second = cloud.create_server(server("worker-1"))
    with pytest.raises(CloudError):
        cloud.attach(disk.resource_id, second.resource_id)
    cloud.start(made.resource_id)
    cloud.start(made.resource_id)


def test_a_server_becomes_one_of_another_type_and_of_the_old_one_again(place: Place) -> None:
    cloud = place.cloud
    net, made = cloud.create_network(network()), cloud.create_server(server(type="cx23"))
    cloud.join(made.resource_id, net.resource_id, "10.7.1.20")
    cloud.start(made.resource_id)
    with pytest.raises(CloudError) as caught:
        cloud.change_type(made.resource_id, "cx33")
    assert (caught.value.code, caught.value.vendor_code) == ("cloud_in_use", "server_not_stopped")
    cloud.shut_down(made.resource_id, seconds=1)
    assert seen(place, made).facts["status"] == "off"
    cloud.shut_down(made.resource_id, seconds=1)
    disk = seen(place, made).facts["disk_gb"]
    for type in ("cx33", "cx23"):
        cloud.change_type(made.resource_id, type)
        after = seen(place, made).facts
        assert (after["type"], after["disk_gb"], after["status"]) == (type, disk, "off")
    for type, code in (("cx23", "cloud_type_unfit"), ("cax21", "cloud_type_unfit"), ("none", "cloud_type_unfit")):
        with pytest.raises(CloudError) as caught:
            cloud.change_type(made.resource_id, type)
        assert caught.value.code == code
    place.world.stock("cx33", "fsn1", False)
    try:
        with pytest.raises(CloudError) as caught:
            cloud.change_type(made.resource_id, "cx33")
        assert caught.value.code == "cloud_out_of_stock"
    finally:
        place.world.stock("cx33", "fsn1", True)
    large = cloud.create_server(server("worker-1", type="cx33"))
    with pytest.raises(CloudError) as caught:
        cloud.change_type(large.resource_id, "cx23")
    assert caught.value.code == "cloud_type_unfit", "its disk would be smaller"


def test_a_server_that_does_not_end_by_itself_is_switched_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Waiting, "pause", lambda self, seconds: None)
    cloud = place.cloud
    made = cloud.create_server(server("gateway", public=True))
    cloud.start(made.resource_id)
    monkeypatch.setattr(place.world, "latency", replace(place.world.latency, halt=3600.0))
    cloud.shut_down(made.resource_id, seconds=5)
    asked = [path.rpartition("/")[2] for when, _, path in place.tapped if when == "before" and "/actions/" in path]
    assert asked[-2:] == ["shutdown", "poweroff"]
    assert seen(place, made).facts["status"] == "off"


def test_a_volume_grows_and_never_shrinks(place: Place) -> None:
    disk = place.cloud.create_volume(volume())
    for size, after in ((30, 30), (30, 30), (20, 30)):
        place.cloud.resize_volume(disk.resource_id, size)
        assert seen(place, disk).facts["size_gb"] == after
    with pytest.raises(CloudError) as caught:
        place.cloud.resize_volume(disk.resource_id, 10_241)
    assert caught.value.code == "cloud_invalid"


def test_a_name_is_taken_once(place: Place) -> None:
    place.cloud.create_network(network())
    with pytest.raises(CloudError) as caught:
        place.cloud.create_network(network(octet=8))
    assert caught.value.code == "cloud_name_taken"


def test_a_token_that_may_not_is_refused(place: Place) -> None:
    project = list(place.world.projects)[-1]
    reader = place.calls_with(place.world.token(project, readonly=True))
    assert HetznerCloud(reader, ENVIRONMENT).observe() == []
    for calls, code in ((reader, "token_readonly"), (place.calls_with("0" * 64), "unauthorized")):
        with pytest.raises(CloudError) as caught:
            HetznerCloud(calls, ENVIRONMENT).create_network(network())
        assert (caught.value.code, caught.value.vendor_code) == ("cloud_refused", code)


ANSWERED = {
    "connection_reset": "cloud_unreachable",
    "lost_reply": "cloud_unreachable",
    "stalled": "cloud_unreachable",
    "stalled_after": "cloud_unreachable",
    "rate_limited": "cloud_rate_limited",
    "server_error": "cloud_server_error",
    "bad_gateway": "cloud_server_error",
    "unavailable": "cloud_server_error",
    "timeout": "cloud_server_error",
    "error_after": "cloud_server_error",
    "locked": "cloud_locked",
    "conflict": "cloud_locked",
    "stock_out": "cloud_out_of_stock",
    "placement_error": "cloud_out_of_stock",
    "name_taken": "cloud_name_taken",
    "quota": "cloud_quota",
    "forbidden": "cloud_refused",
    "failing_action": "cloud_action_failed",
    "slow_reply": "",
    "never_boots": "",
    "resource_in_use": "",
    "slow_action": "",
    "failing_follow_up": "",
    "firewall_released_late": "",
}
"""What the making of a server raises under each fault; '' where it goes well, for another request or later on."""
COMMITTED = ("lost_reply", "stalled_after", "error_after")


def test_every_fault_is_answered() -> None:
    assert ANSWERED.keys() == KINDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_a_fault_is_told_by_its_code_and_nothing_is_sent_twice(place: Place, name: str) -> None:
    seconds = {"seconds": 0.01} if name in ("stalled", "stalled_after", "slow_reply", "slow_action") else {}
    project = list(place.world.projects)[-1]
    place.world.fault(Fault(name=name, match="POST /servers", options=seconds, project=project))
    if ANSWERED[name]:
        with pytest.raises(CloudError) as caught:
            place.cloud.create_server(server())
        assert caught.value.code == ANSWERED[name]
        assert caught.value.remedy
    else:
        place.cloud.create_server(server())
    assert sum(what == ("before", "POST", "/servers") for what in place.tapped) == 1
    place.world.clear_faults()
    found = place.cloud.find(Kind.SERVER, "fb-acme-db")
    if name != "failing_action":
        assert (found is not None) == (name in COMMITTED or not ANSWERED[name])


def test_a_firewall_that_is_released_late_is_in_use(place: Place) -> None:
    cloud = place.cloud
    wall = cloud.create_firewall(firewall(HTTPS))
    made = cloud.create_server(server("gateway", public=True, firewalls=(wall.resource_id,)))
    place.world.fault(Fault(name="firewall_released_late", options={"seconds": 0.3}))
    cloud.delete(Kind.SERVER, made.resource_id)
    with pytest.raises(CloudError) as caught:
        cloud.delete(Kind.FIREWALL, wall.resource_id)
    assert (caught.value.code, caught.value.vendor_code) == ("cloud_in_use", "resource_in_use")
    threading.Event().wait(0.35)
    cloud.delete(Kind.FIREWALL, wall.resource_id)


def test_the_tap_hears_every_request_before_and_after(place: Place) -> None:
    place.cloud.create_network(network())
    assert place.tapped == [("before", "POST", "/networks"), ("after", "POST", "/networks")]
    place.cloud.create_server(server())
    assert [when for when, _, _ in place.tapped] == ["before", "after"] * place.calls.requests


def test_actions_that_fail_later_are_told(place: Place) -> None:
    made = place.cloud.create_server(server())
    net = place.cloud.create_network(network())
    place.world.fault(Fault(name="failing_action", match="POST /servers/.*", options={"code": "locked"}))
    with pytest.raises(CloudError) as caught:
        place.cloud.join(made.resource_id, net.resource_id, "10.7.1.20")
    assert (caught.value.code, caught.value.vendor_code) == ("cloud_locked", "locked")


def test_many_threads_share_a_project(place: Place) -> None:
    cloud = place.cloud
    net = cloud.create_network(network())
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            made = cloud.create_server(server(f"worker-{number}"))
            cloud.join(made.resource_id, net.resource_id, f"10.7.1.{30 + number}")
            cloud.start(made.resource_id)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failed == []
    servers = [found for found in cloud.observe(ACME) if found.kind is Kind.SERVER]
    assert sorted(found.facts["private_address"] for found in servers) == sorted(f"10.7.1.{30 + n}" for n in range(12))
    assert {found.facts["status"] for found in servers} == {"running"}


def test_the_pace_follows_what_the_project_has_left(place: Place) -> None:
    pace = place.calls.pace
    assert isinstance(pace, Pace)
    for _ in range(5):
        place.calls.ask("GET", "/locations")
    assert 3590 < pace._left < 3600
    assert pace.stretch == 1.0
