"""The simulator refuses what the real API refuses, with the code that clients look at."""

from __future__ import annotations

from typing import Any

import pytest

from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.latency import REALISTIC, Latency
from frostbyte.adapters.hetzner.world.world import World
from hetzner.asking import KEY, OFF, Asking, asking

SERVER = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
INVALID = (422, "invalid_input")


@pytest.fixture
def ask(hetzner_world: World) -> Asking:
    return asking(hetzner_world)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"name": "under_score"}, INVALID),
        ({"name": "-a"}, INVALID),
        ({"name": ""}, INVALID),
        ({"name": "a" * 64}, INVALID),
        ({"server_type": "cx99"}, (404, "not_found")),
        ({"server_type": "cx22"}, (422, "invalid_server_type")),
        ({"server_type": "cpx11"}, INVALID),
        ({"location": "moon"}, (404, "not_found")),
        ({"image": "windows"}, (404, "not_found")),
        ({"image": 114690389}, INVALID),
        ({"image": "ubuntu-20.04"}, INVALID),
        ({"user_data": "x" * 32769}, INVALID),
        ({"labels": {"a b": "c"}}, INVALID),
        ({"labels": {"a": "c" * 64}}, INVALID),
        ({"labels": {"hetzner.cloud/a": "c"}}, INVALID),
        ({"public_net": OFF}, INVALID),
        ({"networks": [1]}, (404, "not_found")),
        ({"ssh_keys": ["nobody"]}, (404, "not_found")),
        ({"volumes": [1]}, (404, "not_found")),
        ({"firewalls": [{"firewall": 1}]}, (404, "not_found")),
        ({"automount": True}, INVALID),
        ({"public_net": {"enable_ipv4": False, "ipv4": 1}}, INVALID),
        ({"name": 7}, INVALID),
    ],
)
def test_a_server_that_cannot_be(ask: Asking, change: dict[str, Any], refused: tuple[int, str]) -> None:
    assert ask.code("POST", "/servers", SERVER | change) == refused
    assert ask.world.bill().empty


def test_what_a_server_may_be_at_its_limits(ask: Asking) -> None:
    ask.server("a.b-c.d", user_data="x" * 32768, labels={"a": "c" * 63, "example.com/k": ""})
    assert ask.code("POST", "/servers", SERVER | {"name": "a.b-c.d"}) == (409, "uniqueness_error")


def test_bodies_that_are_none(ask: Asking) -> None:
    assert ask.code("POST", "/servers", b"{") == (400, "json_error")
    missing = ask("POST", "/servers", {"name": "a"})
    assert missing.body is not None
    assert missing.body["error"]["details"]["fields"][0]["name"] in ("server_type", "image")
    deep = ask("POST", "/servers", b'{"labels":' + b"[" * 5000)
    assert deep.status in (400, 422)


def test_tokens(ask: Asking, hetzner_world: World) -> None:
    assert Asking(hetzner_world, "nobody").code("GET", "/servers") == (401, "unauthorized")
    reader = asking(hetzner_world, readonly=True)
    assert reader.code("POST", "/servers", SERVER) == (403, "token_readonly")
    assert reader("GET", "/servers").status == 200
    server = ask.server()
    other = asking(hetzner_world, project="other")
    assert other.code("GET", f"/servers/{server['id']}") == (404, "not_found")
    assert other.server()["name"] == server["name"], "names are unique in a project alone"


def test_what_is_not_simulated_is_never_not_found(ask: Asking) -> None:
    assert ask.code("POST", "/load_balancers", {}) == (405, "method_not_allowed")
    assert ask.code("GET", "/storage_boxes") == (501, "not_simulated")
    assert ask("GET", "/floating_ips").status == 200


def test_a_private_server_has_no_firewall_and_no_start_without_network(ask: Asking) -> None:
    wall, network = ask.firewall(), ask.network()
    body = SERVER | {"public_net": OFF, "start_after_create": False, "firewalls": [{"firewall": wall["id"]}]}
    assert ask.code("POST", "/servers", body) == (422, "private_net_only_server")
    server = ask.server(public_net=OFF)
    assert server["public_net"]["ipv4"] is None
    apply = {"apply_to": [{"type": "server", "server": {"id": server["id"]}}]}
    path = f"/firewalls/{wall['id']}/actions/apply_to_resources"
    assert ask.code("POST", path, apply) == (422, "private_net_only_server")
    assert ask.code("POST", f"/servers/{server['id']}/actions/poweron") == INVALID
    joined = {"network": network["id"], "ip": "10.7.1.20"}
    assert ask("POST", f"/servers/{server['id']}/actions/attach_to_network", joined).status == 201
    assert ask("POST", f"/servers/{server['id']}/actions/poweron").status == 201
    assert ask.got(f"/servers/{server['id']}")["status"] == "running"


def test_networks(ask: Asking) -> None:
    network, server = ask.network(), ask.server()
    path = f"/servers/{server['id']}/actions/attach_to_network"
    for address, refused in (
        ("10.7.0.1", (422, "no_subnet_available")),
        ("10.7.1.0", (409, "ip_not_available")),
        ("10.7.1.255", (409, "ip_not_available")),
        ("10.7.2.1", (422, "no_subnet_available")),
        ("nowhere", INVALID),
    ):
        assert ask.code("POST", path, {"network": network["id"], "ip": address}) == refused, address
    assert ask.code("POST", path, {"network": network["id"]}) == (201, "")
    ask.world.settle()
    assert ask.got(f"/servers/{server['id']}")["private_net"][0]["ip"] == "10.7.1.1"
    assert ask.code("POST", path, {"network": network["id"]}) == (409, "server_already_attached")
    overlapping = ask.network(7, name="other")
    assert ask.code("POST", path, {"network": overlapping["id"]}) == (409, "networks_overlap")
    for octet in (8, 9):
        assert ask.code("POST", path, {"network": ask.network(octet)["id"]}) == (201, "")
        ask.world.settle()
    assert ask.code("POST", path, {"network": ask.network(10)["id"]}) == (403, "resource_limit_exceeded")
    second, third = ask.server("b"), ask.server("c")
    ask("POST", f"/servers/{third['id']}/actions/attach_to_network", {"network": network["id"]})
    assert ask.got(f"/servers/{third['id']}")["private_net"][0]["ip"] == "10.7.1.2"
    wanted = {"network": network["id"], "ip": "10.7.1.1"}
    assert ask.code("POST", f"/servers/{second['id']}/actions/attach_to_network", wanted) == (409, "ip_not_available")
    assert ask("DELETE", f"/networks/{network['id']}").status == 204
    assert ask.got(f"/servers/{third['id']}")["private_net"] == []
    assert len(ask.got(f"/servers/{server['id']}")["private_net"]) == 2, "it is taken out without a word"


def test_the_first_address_of_a_network_is_reserved(ask: Asking) -> None:
    subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": "10.9.0.0/24"}
    network = ask.network(9, subnets=[subnet])
    server = ask.server()
    path = f"/servers/{server['id']}/actions/attach_to_network"
    assert ask.code("POST", path, {"network": network["id"], "ip": "10.9.0.1"}) == (409, "ip_not_available")
    ask("POST", path, {"network": network["id"]})
    assert ask.got(f"/servers/{server['id']}")["private_net"][0]["ip"] == "10.9.0.2"


@pytest.mark.parametrize(
    "change",
    [
        {"ip_range": "8.8.0.0/16"},
        {"ip_range": "10.7.0.1/16"},
        {"ip_range": "ten"},
        {"subnets": [{"type": "cloud", "network_zone": "eu-central", "ip_range": "10.8.1.0/24"}]},
        {"subnets": [{"type": "cloud", "network_zone": "mars", "ip_range": "10.7.1.0/24"}]},
        {"subnets": [{"type": "cloud", "network_zone": "eu-central", "ip_range": f"10.7.{n}.0/23"} for n in (0, 0)]},
        {"subnets": [{"type": "cloud", "network_zone": "eu-central", "ip_range": "10.7.1.0/30"}]},
        {"routes": [{"destination": "10.100.0.0/24", "gateway": "10.7.0.1"}]},
        {"name": ""},
    ],
)
def test_a_network_that_cannot_be(ask: Asking, change: dict[str, Any]) -> None:
    assert ask.code("POST", "/networks", {"name": "n", "ip_range": "10.7.0.0/16"} | change) == INVALID


def test_a_subnet_of_another_zone_is_no_place(ask: Asking) -> None:
    network, server = ask.network(), ask.server(server_type="ccx13", location="ash")
    path = f"/servers/{server['id']}/actions/attach_to_network"
    assert ask.code("POST", path, {"network": network["id"]}) == (422, "no_subnet_available")


@pytest.mark.parametrize(
    "rule",
    [
        {"direction": "in", "protocol": "tcp", "source_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "icmp", "port": "1", "source_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "tcp", "port": "0", "source_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "tcp", "port": "90-80", "source_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "tcp", "port": "80", "source_ips": []},
        {"direction": "in", "protocol": "tcp", "port": "80", "destination_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "tcp", "port": "80", "source_ips": ["10.0.0.1/8"]},
        {"direction": "in", "protocol": "tcp", "port": "80", "source_ips": [f"10.0.{n}.0/24" for n in range(101)]},
        {"direction": "up", "protocol": "tcp", "port": "80", "source_ips": ["0.0.0.0/0"]},
        {"direction": "in", "protocol": "sctp", "port": "80", "source_ips": ["0.0.0.0/0"]},
    ],
)
def test_a_rule_that_cannot_be(ask: Asking, rule: dict[str, Any]) -> None:
    assert ask.code("POST", "/firewalls", {"name": "w", "rules": [rule]}) == INVALID


def test_limits_of_firewalls(ask: Asking) -> None:
    any_port = {"direction": "in", "protocol": "tcp", "port": "any", "source_ips": ["10.0.0.0/8"]}
    assert ask.code("POST", "/firewalls", {"name": "many", "rules": [any_port] * 51})[1] == "resource_limit_exceeded"
    walls = [ask.firewall(f"w{n}", rules=[any_port] * 50) for n in range(50)]
    assert ask.code("POST", "/firewalls", {"name": "more"}) == (403, "resource_limit_exceeded")
    chosen = [{"firewall": wall["id"]} for wall in walls]
    assert ask.code("POST", "/servers", SERVER | {"firewalls": chosen[:6]}) == INVALID
    server = ask.server(firewalls=chosen[:5])
    apply = {"apply_to": [{"type": "server", "server": {"id": server["id"]}}]}
    path = f"/firewalls/{walls[9]['id']}/actions/apply_to_resources"
    assert ask.code("POST", path, apply) == (403, "resource_limit_exceeded")


def test_a_firewall_in_use_stays(ask: Asking) -> None:
    wall = ask.firewall(apply_to=[{"type": "label_selector", "label_selector": {"selector": "role=edge"}}])
    assert ask.code("DELETE", f"/firewalls/{wall['id']}") == (422, "resource_in_use")
    server = ask.server(labels={"role": "edge"})
    assert ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"] == [{"id": wall["id"], "status": "applied"}]
    one = {"remove_from": [{"type": "server", "server": {"id": server["id"]}}]}
    path = f"/firewalls/{wall['id']}/actions/remove_from_resources"
    assert ask.code("POST", path, one) == (422, "firewall_managed_by_label_selector")
    away = {"remove_from": [{"type": "label_selector", "label_selector": {"selector": "role=edge"}}]}
    assert ask("POST", path, away).status == 201
    assert ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"] == []
    assert ask("DELETE", f"/firewalls/{wall['id']}").status == 204


def test_a_selector_acts_late_and_a_firewall_is_released_late() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(select=5, release=4)))
    wall = ask.firewall(apply_to=[{"type": "label_selector", "label_selector": {"selector": "role"}}])
    server = ask.server(labels={"role": "edge"})
    assert ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"] == []
    clock.advance(5)
    assert len(ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"]) == 1
    ask("PUT", f"/servers/{server['id']}", {"labels": {}})
    assert len(ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"]) == 1
    clock.advance(5)
    assert ask.got(f"/servers/{server['id']}")["public_net"]["firewalls"] == []
    by_name = ask.firewall("x", apply_to=[{"type": "server", "server": {"id": server["id"]}}])
    ask("DELETE", f"/servers/{server['id']}")
    assert ask.code("GET", f"/servers/{server['id']}") == (404, "not_found")
    assert ask.code("DELETE", f"/firewalls/{by_name['id']}") == (422, "resource_in_use")
    clock.advance(4)
    assert ask("DELETE", f"/firewalls/{by_name['id']}").status == 204
    assert wall["id"] != by_name["id"]


def test_volumes(ask: Asking) -> None:
    for change in ({"size": 9}, {"size": 10_241}, {"format": "ntfs"}, {"automount": True}, {"server": 1}):
        assert ask.code("POST", "/volumes", {"name": "v", "size": 10, "location": "fsn1"} | change) == INVALID, change
    server, volume = ask.server(), ask.volume()
    away = ask.volume("away", location="nbg1")
    attach = {"server": server["id"], "automount": False}
    assert ask.code("POST", f"/volumes/{away['id']}/actions/attach", attach) == INVALID
    assert ask.code("POST", f"/volumes/{volume['id']}/actions/detach", {}) == INVALID
    assert ask("POST", f"/volumes/{volume['id']}/actions/attach", attach).status == 201
    assert ask.code("DELETE", f"/volumes/{volume['id']}") == (422, "volume_already_attached")
    assert ask.code("POST", f"/volumes/{volume['id']}/actions/attach", attach) == (422, "volume_already_attached")
    assert ask.code("POST", f"/volumes/{volume['id']}/actions/resize", {"size": 10}) == INVALID
    assert ask("POST", f"/volumes/{volume['id']}/actions/resize", {"size": 20}).status == 201
    assert ask.got(f"/volumes/{volume['id']}")["size"] == 20
    ask("DELETE", f"/servers/{server['id']}")
    assert ask.got(f"/volumes/{volume['id']}")["server"] is None
    assert ask("DELETE", f"/volumes/{volume['id']}").status == 204


def test_one_action_at_a_time() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(create_server=10, start=3, attach=2)))
    server = ask("POST", "/servers", SERVER | {"start_after_create": True}).body
    assert server is not None
    path = f"/servers/{server['server']['id']}"
    assert ask.code("POST", f"{path}/actions/poweroff") == (423, "locked")
    assert ask.code("DELETE", path) == (423, "locked")
    volume = ask.volume()
    assert ask.code("POST", f"/volumes/{volume['id']}/actions/attach", {"server": server["server"]["id"]})[0] == 423
    clock.advance(9.9)
    assert ask.got(path)["status"] == "initializing"
    both = ask.got("/actions", id=[str(server["action"]["id"]), str(server["next_actions"][0]["id"])])
    assert [(one["status"], one["progress"]) for one in both] == [("running", 95), ("running", 0)]
    clock.advance(0.2)
    assert ask.got(path)["status"] == "starting"
    clock.advance(3)
    found = ask.got(path)
    assert (found["status"], found["locked"]) == ("running", False)


def test_shutdown_is_over_before_the_server_is_off() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(shutdown=1, halt=8)))
    server = ask.server(start_after_create=True)
    action = ask("POST", f"/servers/{server['id']}/actions/shutdown").body
    assert action is not None
    clock.advance(2)
    assert ask.got(f"/actions/{action['action']['id']}")["status"] == "success"
    assert ask.got(f"/servers/{server['id']}")["status"] == "running"
    change = {"server_type": "cx33", "upgrade_disk": False}
    assert ask.code("POST", f"/servers/{server['id']}/actions/change_type", change) == (422, "server_not_stopped")
    clock.advance(8)
    assert ask.got(f"/servers/{server['id']}")["status"] == "off"
    assert ask("POST", f"/servers/{server['id']}/actions/change_type", change).status == 201
    found = ask.got(f"/servers/{server['id']}")
    assert (found["server_type"]["name"], found["primary_disk_size"]) == ("cx33", 40)


def test_protected_and_locked_are_both_423(ask: Asking) -> None:
    server = ask.server()
    both = {"delete": True, "rebuild": True}
    assert ask("POST", f"/servers/{server['id']}/actions/change_protection", both).status == 201
    assert ask.code("DELETE", f"/servers/{server['id']}") == (423, "protected")
    network = ask.network()
    ask("POST", f"/networks/{network['id']}/actions/change_protection", {"delete": True})
    assert ask.code("DELETE", f"/networks/{network['id']}") == (423, "protected")


def test_primary_ips(ask: Asking) -> None:
    address = ask.made("/primary_ips", {"name": "edge", "type": "ipv4", "location": "fsn1"})
    away = ask.made("/primary_ips", {"name": "away", "type": "ipv4", "location": "hel1"})
    net = {"enable_ipv6": False, "ipv4": away["id"]}
    assert ask.code("POST", "/servers", SERVER | {"public_net": net})[1] == "primary_ip_datacenter_mismatch"
    server = ask.server(public_net={"enable_ipv6": False, "ipv4": address["id"]}, start_after_create=True)
    net = {"enable_ipv6": False, "ipv4": address["id"]}
    assert ask.code("POST", "/servers", SERVER | {"name": "b", "public_net": net})[1] == "primary_ip_assigned"
    assert ask.code("DELETE", f"/primary_ips/{address['id']}") == (422, "server_not_stopped")
    with_it = ask.server("c")
    assert len(ask.got("/primary_ips")) == 4
    for one in (server, with_it):
        ask("DELETE", f"/servers/{one['id']}")
    assert {one["name"] for one in ask.got("/primary_ips")} == {"edge", "away"}, "those that came with it go with it"
    assert ask("DELETE", f"/primary_ips/{address['id']}").status == 204


def test_ssh_keys(ask: Asking) -> None:
    for text in ("", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa " + KEY.split()[1], "ssh-ed25519 AAAA"):
        assert ask.code("POST", "/ssh_keys", {"name": "k", "public_key": text}) == INVALID, text
    key = ask.made("/ssh_keys", {"name": "k", "public_key": KEY})
    assert key["fingerprint"].count(":") == 15
    twice = ask("POST", "/ssh_keys", {"name": "other", "public_key": KEY.replace("ops", "elsewhere")}).body
    assert twice is not None
    assert (twice["error"]["code"], twice["error"]["details"]["fields"]) == (
        "uniqueness_error",
        [{"name": "public_key"}],
    )
    assert ask("POST", "/servers", SERVER | {"ssh_keys": [key["id"]]}).body["root_password"] is None  # type: ignore[index]
    assert ask("POST", "/servers", SERVER | {"name": "b"}).body["root_password"]  # type: ignore[index]


def test_snapshots(ask: Asking) -> None:
    server = ask.server(server_type="cx33")
    body = {"type": "snapshot", "description": "fb-host", "labels": {"a": "b"}}
    image = ask.made(f"/servers/{server['id']}/actions/create_image", body)
    assert image["status"] == "creating"
    assert ask.got(f"/images/{image['id']}")["status"] == "available"
    assert [one["id"] for one in ask.got("/images", type="snapshot", label_selector="a=b")] == [image["id"]]
    small = SERVER | {"name": "b", "image": image["id"]}
    assert ask.code("POST", "/servers", small) == INVALID, "its disk does not fit"
    arm = SERVER | {"name": "b", "image": image["id"], "server_type": "cax31"}
    assert ask.code("POST", "/servers", arm) == INVALID
    assert ask.server("b", image=image["id"], server_type="cx43")["image"]["id"] == image["id"]
    assert ask.code("DELETE", "/images/310557660") == (403, "forbidden")
    assert ask("DELETE", f"/images/{image['id']}").status == 204


def test_quotas(ask: Asking, hetzner_world: World) -> None:
    hetzner_world.project().quotas["servers"] = 1
    ask.server()
    refused = ask("POST", "/servers", SERVER | {"name": "b"})
    assert (refused.status, refused.body["error"]["details"]) == (403, {"limits": [{"name": "server_limit"}]})  # type: ignore[index]


def test_the_hour_has_3600_requests_and_one_comes_back_each_second() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock))
    for left in range(3599, -1, -1):
        answer = ask("GET", "/locations")
        assert answer.status == 200
        assert answer.headers["RateLimit-Remaining"] == str(left)
    assert answer.headers["RateLimit-Limit"] == "3600"
    assert ask.code("GET", "/locations") == (429, "rate_limit_exceeded")
    clock.advance(2)
    assert [ask("GET", "/locations").status for _ in range(3)] == [200, 200, 429]
    assert asking(ask.world, project="other")("GET", "/locations").status == 200


def test_realistic_latencies_are_those_of_the_documentation() -> None:
    assert 8 <= REALISTIC.create_server <= 15
    with pytest.raises(KeyError):
        REALISTIC.named("lunch")
