"""The world keeps its own rules whatever is asked of it, and whenever it is written down and taken up again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from frostbyte.adapters.hetzner.world import labels
from frostbyte.adapters.hetzner.world.bill import cost
from frostbyte.adapters.hetzner.world.clock import HandClock, RunningClock
from frostbyte.adapters.hetzner.world.latency import REALISTIC, Latency
from frostbyte.adapters.hetzner.world.records import Charge
from frostbyte.adapters.hetzner.world.refusals import Refused
from frostbyte.adapters.hetzner.world.world import Saved, World
from hetzner.asking import OFF, Asking, asking
from servers.hetzner import HeldWorld

TYPES = st.sampled_from(["cx23", "cx33", "cax11", "cx22", "ccx13"])
PLACES = st.sampled_from(["fsn1", "nbg1", "ash"])
SELECTORS = st.sampled_from(["role=edge", "role", "!role", "role in (edge,gateway)", "role!=edge"])
LABELS = st.sampled_from([{}, {"role": "edge"}, {"role": "gateway"}, {"a": "b"}])


class Life(RuleBasedStateMachine):
    """Random requests, sensible and not, with time passing and restarts in between."""

    @initialize(quick=st.booleans())
    def begin(self, quick: bool) -> None:
        self.clock = HandClock()
        # Without a latency of replies: each would move time, and two lists would be of two moments.
        self.latency = Latency() if quick else replace(REALISTIC, reply=0.0)
        self.ask: Asking = asking(HeldWorld(clock=self.clock, latency=self.latency))
        self.count = 0

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def some(self, kind: str, at: int) -> int:
        """The id of one of a kind, or of none."""
        ids = sorted(getattr(self.ask.world.project(), kind))
        return ids[at % len(ids)] if ids else 1

    @rule(type=TYPES, place=PLACES, public=st.booleans(), start=st.booleans(), tags=LABELS, joined=st.booleans())
    def server(self, type: str, place: str, public: bool, start: bool, tags: dict[str, str], joined: bool) -> None:
        body: dict[str, Any] = {
            "name": self.name(),
            "server_type": type,
            "image": "debian-13",
            "location": place,
            "start_after_create": start,
            "labels": tags,
        }
        if not public:
            body["public_net"] = OFF
        if joined:
            body["networks"] = [self.some("networks", self.count)]
        if public and self.count % 2:
            body["firewalls"] = [{"firewall": self.some("firewalls", self.count)}]
        self.ask("POST", "/servers", body)

    @rule(octet=st.integers(1, 3))
    def network(self, octet: int) -> None:
        subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": f"10.{octet}.1.0/29"}
        body = {"name": self.name(), "ip_range": f"10.{octet}.0.0/16", "subnets": [subnet]}
        self.ask("POST", "/networks", body)

    @rule(selector=SELECTORS, by_label=st.booleans(), at=st.integers(0, 9))
    def firewall(self, selector: str, by_label: bool, at: int) -> None:
        rules = [{"direction": "in", "protocol": "tcp", "port": "any", "source_ips": ["0.0.0.0/0"]}]
        by_name = {"type": "server", "server": {"id": self.some("servers", at)}}
        chosen = {"type": "label_selector", "label_selector": {"selector": selector}} if by_label else by_name
        self.ask("POST", "/firewalls", {"name": self.name(), "rules": rules, "apply_to": [chosen]})

    @rule(place=PLACES, size=st.integers(5, 30))
    def volume(self, place: str, size: int) -> None:
        self.ask("POST", "/volumes", {"name": self.name(), "size": size, "location": place})

    @rule(place=PLACES)
    def address(self, place: str) -> None:
        self.ask("POST", "/primary_ips", {"name": self.name(), "type": "ipv4", "location": place})

    @rule(action=st.sampled_from(["poweron", "poweroff", "shutdown", "reboot", "create_image"]), at=st.integers(0, 9))
    def act(self, action: str, at: int) -> None:
        self.ask("POST", f"/servers/{self.some('servers', at)}/actions/{action}", {})

    @rule(at=st.integers(0, 9), net=st.integers(0, 9), address=st.sampled_from([None, "10.1.1.3", "10.2.1.2"]))
    def join(self, at: int, net: int, address: str | None) -> None:
        body = {"network": self.some("networks", net), "ip": address}
        self.ask("POST", f"/servers/{self.some('servers', at)}/actions/attach_to_network", body)

    @rule(at=st.integers(0, 9), net=st.integers(0, 9))
    def leave(self, at: int, net: int) -> None:
        body = {"network": self.some("networks", net)}
        self.ask("POST", f"/servers/{self.some('servers', at)}/actions/detach_from_network", body)

    @rule(at=st.integers(0, 9), which=st.integers(0, 9), attach=st.booleans())
    def plug(self, at: int, which: int, attach: bool) -> None:
        body = {"server": self.some("servers", at)} if attach else {}
        action = "attach" if attach else "detach"
        self.ask("POST", f"/volumes/{self.some('volumes', which)}/actions/{action}", body)

    @rule(at=st.integers(0, 9), tags=LABELS)
    def relabel(self, at: int, tags: dict[str, str]) -> None:
        self.ask("PUT", f"/servers/{self.some('servers', at)}", {"labels": tags})

    @rule(
        kind=st.sampled_from(["servers", "networks", "firewalls", "volumes", "primary_ips", "images"]),
        at=st.integers(0, 9),
    )
    def delete(self, kind: str, at: int) -> None:
        self.ask("DELETE", f"/{kind}/{self.some(kind, at)}")

    @rule(seconds=st.sampled_from([0.5, 3, 20, 100]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    @precondition(lambda self: self.count > 2)
    def restart(self) -> None:
        saved = msgspec.json.decode(self.ask.world.save(), type=Saved)
        world = HeldWorld(clock=self.clock, latency=self.latency)
        world.restore(saved)
        self.ask = Asking(world, self.ask.token)

    @invariant()
    def lists_and_bill_agree(self) -> None:
        if not hasattr(self, "ask"):
            return
        kinds = {"servers": "server", "networks": "network", "firewalls": "firewall", "volumes": "volume"}
        kinds |= {"primary_ips": "primary_ip"}
        seen = {(name, str(one["id"])) for kind, name in kinds.items() for one in self.ask.got(f"/{kind}", per_page=50)}
        seen |= {("snapshot", str(one["id"])) for one in self.ask.got("/images", type="snapshot")}
        bill = self.ask.world.bill()
        assert {(item.kind, item.id) for item in bill.existing} == seen
        assert bill.cost >= 0

    @invariant()
    def everything_is_where_it_can_be(self) -> None:
        if not hasattr(self, "ask"):
            return
        project = self.ask.world.project()
        used: set[tuple[int, str]] = set()
        for server in project.servers.values():
            assert len(server.private) <= 3
            for net in server.private:
                network = project.networks[net.network]
                assert IPv4Address(net.ip) in IPv4Network(net.subnet)
                assert net.subnet in {subnet.ip_range for subnet in network.subnets}
                assert (net.network, net.ip) not in used
                used.add((net.network, net.ip))
            for which in (server.ipv4, server.ipv6):
                assert which is None or project.primary_ips[which].assignee == server.id
        for volume in project.volumes.values():
            assert volume.server is None or project.servers[volume.server].location == volume.location
        for wall in project.firewalls.values():
            assert set(wall.applied) <= set(project.servers)
            assert all(project.servers[which].public for which in wall.applied)
        addresses = [one.ip for one in project.primary_ips.values()]
        assert len(addresses) == len(set(addresses))

    def teardown(self) -> None:
        """Whatever happened, everything can be taken away, and then the bill is empty."""
        if not hasattr(self, "ask"):
            return
        for _ in range(6):
            self.clock.advance(4000)
            project = self.ask.world.project()
            for wall in list(project.firewalls.values()):
                chosen = [{"type": "label_selector", "label_selector": {"selector": text}} for text in wall.selectors]
                if chosen:
                    path = f"/firewalls/{wall.id}/actions/remove_from_resources"
                    self.ask("POST", path, {"remove_from": chosen})
            for volume in list(project.volumes.values()):
                self.ask("POST", f"/volumes/{volume.id}/actions/detach", {})
            for kind in ("servers", "volumes", "networks", "primary_ips", "images", "firewalls"):
                for which in list(getattr(project, kind)):
                    self.ask("DELETE", f"/{kind}/{which}")
        assert self.ask.world.bill().empty, self.ask.world.bill().shown()


Life.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase


# -- selectors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", "abc"),
        ("env=production", "a"),
        ("env==production", "a"),
        ("env = production", "a"),
        ("env!=production", "bc"),
        ("env", "ab"),
        ("!env", "c"),
        ("env in (production,testing)", "ab"),
        ("env in (production, testing)", "ab"),
        ("env notin (production)", "bc"),
        ("env,type", "b"),
        ("env=production,!type", "a"),
        ("env in (testing),type=db", "b"),
        ("example.com/key", "c"),
        ("env=", ""),
        ("empty=", "c"),
    ],
)
def test_selectors(text: str, chosen: str) -> None:
    things = {
        "a": {"env": "production"},
        "b": {"env": "testing", "type": "db"},
        "c": {"example.com/key": "1", "empty": ""},
    }
    selects = labels.selector(text)
    assert "".join(name for name, tags in things.items() if selects(tags)) == chosen


@pytest.mark.parametrize(
    "text", [",", "a,", "=b", "a in b", "a in (b", "a b", "a=b=c", "(a)", "a in (b))", "!", "a=b c", "-a", "a" * 5000]
)
def test_selectors_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Refused):
        labels.selector(text)


_KEYS = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(_KEYS, _KEYS, max_size=4), _KEYS, _KEYS, st.lists(_KEYS, min_size=1, max_size=3))
def test_a_selector_and_its_opposite(tags: dict[str, str], key: str, value: str, values: list[str]) -> None:
    pairs = [
        (f"{key}={value}", f"{key}!={value}"),
        (key, f"!{key}"),
        (f"{key} in ({','.join(values)})", f"{key} notin ({','.join(values)})"),
    ]
    for one, other in pairs:
        assert labels.selector(one)(tags) != labels.selector(other)(tags)
    own = ",".join(f"{name}={said}" for name, said in tags.items())
    assert labels.selector(own)(tags)


@given(st.text(max_size=60))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    with suppress(Refused):
        labels.selector(text)({"a": "b"})


# -- pages --------------------------------------------------------------------------------------------------------


def test_pages(hetzner_world: World) -> None:
    ask = asking(hetzner_world)
    for number in range(7):
        ask.volume(f"v{number}", labels={"odd": str(number % 2)})
    first = ask("GET", "/volumes", per_page=3, page=2, sort="name:desc")
    assert first.body is not None
    assert [one["name"] for one in first.body["volumes"]] == ["v3", "v2", "v1"]
    assert first.body["meta"]["pagination"] == {
        "page": 2,
        "per_page": 3,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 3,
        "total_entries": 7,
    }
    assert 'rel="next"' in first.headers["Link"]
    assert "page=3" in first.headers["Link"]
    chosen = ask("GET", "/volumes", label_selector="odd=1", name="v3").body
    assert chosen is not None
    assert [one["name"] for one in chosen["volumes"]] == ["v3"]
    for wrong in ({"page": 0}, {"per_page": "x"}, {"sort": "size"}, {"label_selector": "=("}):
        assert ask.code("GET", "/volumes", **wrong) == (422, "invalid_input"), wrong
    assert ask.got("/volumes", per_page=1000)[0]["name"] == "v0"


# -- the bill -----------------------------------------------------------------------------------------------------


def test_each_begun_hour_costs_and_no_month_more_than_its_price() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock))
    server = ask.server(public_net={"enable_ipv6": False})
    bill = ask.world.bill()
    assert {(item.kind, item.with_server) for item in bill.existing} == {
        ("server", None),
        ("primary_ip", server["id"]),
    }
    assert bill.owned == {("server", str(server["id"]))}
    assert bill.monthly == Decimal("3.4900") + Decimal("0.5000")
    assert bill.cost == Decimal("0.0056") + Decimal("0.0008")
    clock.advance(3600)
    assert ask.world.bill().cost == Decimal("0.0064")
    clock.advance(1)
    assert ask.world.bill().cost == Decimal("0.0128")
    clock.advance(729 * 3600)
    ask("DELETE", f"/servers/{server['id']}")
    after = ask.world.bill()
    assert (after.empty, after.gone, after.cost) == (True, 2, Decimal("3.4956") + Decimal("0.5008"))


def test_a_month_is_never_dearer_than_its_price() -> None:
    clock = HandClock()
    charge = Charge(
        kind="server", id="1", name="a", since=clock.now(), hourly=Decimal("0.0100"), monthly=Decimal("5.0000")
    )
    clock.advance(700 * 3600)
    assert cost(charge, clock.now()) == Decimal("5.0000")


# -- time and restarts --------------------------------------------------------------------------------------------


def test_a_world_goes_on_in_the_middle_of_an_action() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=REALISTIC))
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = ask("POST", "/servers", body).body
    assert made is not None
    clock.advance(5)
    saved = msgspec.json.decode(ask.world.save(), type=Saved)
    world = World(clock=clock, latency=REALISTIC)
    world.restore(saved)
    again = Asking(world, ask.token)
    assert again.code("DELETE", f"/servers/{made['server']['id']}") == (423, "locked")
    clock.advance(20)
    assert again.got(f"/servers/{made['server']['id']}")["status"] == "running"
    assert again.server("b")["id"] > made["server"]["id"], "ids are not given out twice"
    assert len(world.bill().owned) == 2


def test_scaled_time() -> None:
    clock = RunningClock(scale=1000)
    before = clock.now()
    assert clock.wait(5) == 0.005
    while (clock.now() - before).total_seconds() < 20:
        pass
