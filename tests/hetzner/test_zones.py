"""DNS as part of the Cloud API, through the client library, and what the zone's own name server answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import hcloud
import pytest
from hcloud.zones.domain import ZoneRecord

from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.latency import Latency
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.names import NameServer
from frostbyte.api.hetzner.serving import Serving
from hetzner.asking import Asking, asking

INVALID = (422, "invalid_input")


@pytest.fixture
def ask(hetzner_world: World) -> Asking:
    ask = asking(hetzner_world)
    ask.made("/zones", {"name": "frostbyte.io", "mode": "primary"})
    return ask


def put(ask: Asking, name: str, kind: str, *values: str, **more: Any) -> tuple[int, str]:
    records = [{"value": value} for value in values]
    return ask.code("POST", "/zones/frostbyte.io/rrsets", {"name": name, "type": kind, "records": records} | more)


def test_sets_are_made_changed_and_taken_away_by_the_client(hetzner: Serving) -> None:
    client = hcloud.Client(token=hetzner.token, api_endpoint=hetzner.endpoint, timeout=5, poll_interval=0.01)
    zone = client.zones.create(name="frostbyte.io", mode="primary").zone
    made = zone.create_rrset(
        name="acme.pipeline", type="A", ttl=300, labels={"managed-by": "x"}, records=[ZoneRecord(value="198.18.0.1")]
    )
    made.action.wait_until_finished()
    assert hetzner.world.bill().owned == {("record", "acme.pipeline/A")}
    assert hetzner.world.answers("acme.pipeline.frostbyte.io", "A") == ["198.18.0.1"]
    assert [one.id for one in zone.get_rrset_all(label_selector="managed-by=x")] == ["acme.pipeline/A"]
    zone.set_rrset_records(made.rrset, [ZoneRecord(value="198.18.0.2", comment="moved")]).wait_until_finished()
    zone.change_rrset_ttl(made.rrset, 600).wait_until_finished()
    found = zone.get_rrset("acme.pipeline", "A")
    assert found.records is not None
    assert ([one.value for one in found.records], found.ttl) == (["198.18.0.2"], 600)
    zone.add_rrset_records(found, [ZoneRecord(value="198.18.0.3")]).wait_until_finished()
    zone.remove_rrset_records(found, [ZoneRecord(value="198.18.0.2")]).wait_until_finished()
    assert hetzner.world.answers("acme.pipeline.frostbyte.io.", "A") == ["198.18.0.3"]
    zone.delete_rrset(found).action.wait_until_finished()
    assert hetzner.world.answers("acme.pipeline.frostbyte.io", "A") == []
    assert hetzner.world.bill().empty


@pytest.mark.parametrize("name", ["pipeline.frostbyte.io", "io", "frost byte.io", "Frostbyte.io", "a.b.co.uk"])
def test_no_zone_for_what_is_not_registered(ask: Asking, name: str) -> None:
    assert ask.code("POST", "/zones", {"name": name, "mode": "primary"}) == INVALID


def test_a_zone_is_unique_everywhere(ask: Asking) -> None:
    other = asking(ask.world, project="other")
    assert other.code("POST", "/zones", {"name": "frostbyte.io", "mode": "primary"}) == (409, "uniqueness_error")
    assert other.code("GET", "/zones/frostbyte.io") == (404, "not_found")


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("a", "A", ["::1"]),
        ("a", "A", ["198.18.0.256"]),
        ("a", "AAAA", ["198.18.0.1"]),
        ("a", "TXT", ["not quoted"]),
        ("a", "CNAME", ["x.example.", "y.example."]),
        ("@", "CNAME", ["x.example."]),
        ("a", "SOA", ["x"]),
        ("a", "SPF", ["x"]),
        ("a", "A", []),
        ("a", "A", ["198.18.0.1", "198.18.0.1"]),
        ("A", "A", ["198.18.0.1"]),
        ("a..b", "A", ["198.18.0.1"]),
        ("a.*", "A", ["198.18.0.1"]),
    ],
)
def test_sets_that_cannot_be(ask: Asking, name: str, kind: str, values: list[str]) -> None:
    assert put(ask, name, kind, *values) == INVALID


def test_sets(ask: Asking) -> None:
    assert put(ask, "a", "A", "198.18.0.1", ttl=59) == INVALID
    assert put(ask, "a", "A", "198.18.0.1", ttl=60) == (201, "")
    assert put(ask, "a", "A", "198.18.0.2") == (409, "uniqueness_error")
    assert put(ask, "a", "CNAME", "b.example.") == INVALID
    assert put(ask, "b", "TXT", '"one" "two \\" three"') == (201, "")
    assert ask("POST", "/zones/frostbyte.io/rrsets/a/A/actions/change_protection", {"change": True}).status == 201
    assert ask.code("DELETE", "/zones/frostbyte.io/rrsets/a/A") == (423, "protected")
    assert ask.code("DELETE", "/zones/frostbyte.io/rrsets/@/SOA") == (403, "forbidden")
    assert ask.code("GET", "/zones/frostbyte.io/rrsets/c/A") == (404, "not_found")
    assert [one["id"] for one in ask.got("/zones/frostbyte.io/rrsets", type=["A", "TXT"])] == ["a/A", "b/TXT"]


def test_name_servers_follow_later() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(publish=2)))
    ask("POST", "/zones", {"name": "frostbyte.io", "mode": "primary"})
    clock.advance(3)
    put(ask, "a", "A", "198.18.0.1")
    assert ask.got("/zones/frostbyte.io")["status"] == "updating"
    assert ask.world.answers("a.frostbyte.io", "A") == []
    clock.advance(2)
    assert ask.got("/zones/frostbyte.io")["status"] == "ok"
    assert ask.world.answers("a.frostbyte.io", "A") == ["198.18.0.1"]


def test_wildcards(ask: Asking) -> None:
    put(ask, "*.pipeline", "A", "198.18.0.1")
    put(ask, "own.pipeline", "A", "198.18.0.2")
    put(ask, "deep.er.pipeline", "A", "198.18.0.3")
    put(ask, "alias", "CNAME", "own.pipeline.frostbyte.io.")
    answers = {
        "acme.pipeline": ["198.18.0.1"],
        "x.acme.pipeline": ["198.18.0.1"],
        "own.pipeline": ["198.18.0.2"],
        "er.pipeline": [],
        "pipeline": [],
        "elsewhere": [],
        "alias": ["own.pipeline.frostbyte.io."],
    }
    ask.world.settle()
    assert {name: ask.world.answers(f"{name}.frostbyte.io", "A") for name in answers} == answers
    assert ask.world.answers("frostbyte.com", "A") is None


@pytest.fixture
def names(ask: Asking) -> Iterator[NameServer]:
    with NameServer(ask.world) as server:
        yield server


def test_the_name_server_is_authoritative(ask: Asking, names: NameServer) -> None:
    put(ask, "a", "A", "198.18.0.1", "198.18.0.2")
    put(ask, "t", "TXT", '"said"')
    put(ask, "alias", "CNAME", "a.frostbyte.io.")

    def asked(name: str, kind: str) -> dns.message.Message:
        return dns.query.udp(dns.message.make_query(name, kind), names.host, port=names.port, timeout=5)

    reply = asked("a.frostbyte.io.", "A")
    assert reply.flags & dns.flags.AA
    assert sorted(one.to_text() for one in reply.answer[0]) == ["198.18.0.1", "198.18.0.2"]
    assert asked("t.frostbyte.io.", "TXT").answer[0][0].to_text() == '"said"'
    assert asked("alias.frostbyte.io.", "A").answer[0][0].to_text() == "a.frostbyte.io."
    assert len(asked("frostbyte.io.", "NS").answer[0]) == 3
    assert asked("frostbyte.io.", "SOA").answer
    assert asked("b.frostbyte.io.", "A").answer == []
    assert asked("example.org.", "A").rcode() == dns.rcode.REFUSED
