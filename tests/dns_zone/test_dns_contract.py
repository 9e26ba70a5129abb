"""One suite for zones of all kinds: a provider through dns-lexicon, the simulated Hetzner, memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from dns_zone.name_server import NameServer, Provider, Records, providing, serving
from frostbyte.adapters.dns.answers import Authority, Server
from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.dns.lexicon import LexiconDns, credentials
from frostbyte.adapters.dns.memory import MemoryDns, memory_dns
from frostbyte.adapters.dns.simulated import SimulatedAuthority
from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.memory import WorldCalls
from frostbyte.adapters.hetzner.waiting import AT_ONCE, Waiting
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.serving import Serving
from frostbyte.control_plane.provisioning.ports import Dns
from frostbyte.control_plane.provisioning.resources import FROSTBYTE, MANAGED_BY, Kind, Owner, WantedRecord
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable

ZONE = "frostbyte.test"
SECRET = "a-secret-that-nobody-sees"
RUN = UUID(int=7)
ACME = Owner(environment="test", project_id="main", tenant_id="acme")


def wanted(
    owner: Owner = ACME, *values: str, name: str = "acme.pipeline", type: str = "A", ttl: int = 300
) -> WantedRecord:
    return WantedRecord(
        zone=ZONE,
        name=name,
        type=type,
        values=values or ("192.0.2.10",),
        labels=owner.labels(RUN, "record"),
        ttl=ttl,
    )


@dataclass
class Place:
    """A zone to be tried, and how a stranger makes records in it."""

    dns: Dns
    plant: Callable[[str, str, list[str]], None]


def lexicon(provider: Provider, server: NameServer, **more: Any) -> LexiconDns:
    options = {"auth_token": SECRET, "pdns_server": provider.endpoint}
    return LexiconDns(
        "powerdns", {**options, **more}, [ZONE], Authority([Server("127.0.0.1", server.port)]), seconds=2.0
    )


@pytest.fixture
def provider() -> Iterator[Provider]:
    records: Records = {}
    with providing(Provider(records, ZONE, SECRET)) as provider:
        yield provider


@pytest.fixture(params=["memory", "hetzner in memory", "hetzner", "lexicon"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        memory = MemoryDns([ZONE])
        yield Place(memory, lambda name, type, values: memory.plant(ZONE, name, type, values))
        return
    if request.param.startswith("hetzner"):
        world = World() if request.param != "hetzner" else request.getfixturevalue("hetzner").world
        token = world.token()
        direct = WorldCalls(world, token)
        direct.ask("POST", "/zones", body={"name": ZONE, "mode": "primary"})
        dns: Dns = memory_dns(world, token)
        if request.param == "hetzner":
            http = HcloudCalls(token, request.getfixturevalue("hetzner").endpoint)
            dns = HetznerDns(
                http, Waiting(http, AT_ONCE), SimulatedAuthority(request.getfixturevalue("hetzner").endpoint)
            )

        def strange(name: str, type: str, values: list[str]) -> None:
            records = [{"value": value} for value in values]
            body = {"name": name, "type": type, "ttl": 300, "records": records, "labels": {"whose": "theirs"}}
            direct.ask("POST", f"/zones/{ZONE}/rrsets", body=body)

        yield Place(dns, strange)
        return
    provider = request.getfixturevalue("provider")
    with serving(NameServer(provider.records, ZONE)) as server:

        def plant(name: str, type: str, values: list[str]) -> None:
            provider.records[f"{name}.{ZONE}", type] = values

        yield Place(lexicon(provider, server), plant)


@pytest.mark.parametrize("name", ["acme.pipeline", "*.pipeline", "a"])
def test_records_are_made_answered_and_removed(place: Place, name: str) -> None:
    dns = place.dns
    assert dns.find(ZONE, name, "A") is None
    assert dns.answer(ZONE, name, "A") == ()
    made = dns.put(wanted(ACME, "192.0.2.11", "192.0.2.10", name=name))
    assert (made.kind, made.resource_id, made.name) == (Kind.RECORD, f"{name}/A", name)
    assert (made.facts["values"], made.facts["ttl"]) == (["192.0.2.10", "192.0.2.11"], 300)
    assert ACME.owns(made.labels)
    found = dns.find(ZONE, name, "A")
    assert found is not None
    assert (found.facts, found.labels) == (made.facts, made.labels)
    assert dns.answer(ZONE, name, "A") == ("192.0.2.10", "192.0.2.11")
    assert [(one.resource_id, one.facts["zone"]) for one in dns.observe()] == [(f"{name}/A", ZONE)]
    dns.remove(ZONE, name, "A")
    assert (dns.find(ZONE, name, "A"), dns.answer(ZONE, name, "A"), dns.observe()) == (None, (), [])
    dns.remove(ZONE, name, "A")


@pytest.mark.parametrize("ttl", [300, 60])
def test_ours_are_replaced(place: Place, ttl: int) -> None:
    dns = place.dns
    dns.put(wanted(ACME, "192.0.2.10", "192.0.2.11"))
    dns.put(wanted(ACME, "192.0.2.11", "192.0.2.12", ttl=ttl))
    found = dns.find(ZONE, "acme.pipeline", "A")
    assert found is not None
    assert (found.facts["values"], found.facts["ttl"]) == (["192.0.2.11", "192.0.2.12"], ttl)
    assert dns.answer(ZONE, "acme.pipeline", "A") == ("192.0.2.11", "192.0.2.12")
    assert len(dns.observe()) == 1


def test_a_name_that_points_to_another(place: Place) -> None:
    place.dns.put(wanted(ACME, f"Edge.{ZONE}.", type="CNAME"))
    assert place.dns.answer(ZONE, "acme.pipeline", "CNAME") == (f"edge.{ZONE}",)
    place.dns.put(wanted(ACME, f"edge.{ZONE}", type="CNAME"))
    place.dns.put(wanted(ACME, f"other.{ZONE}", type="CNAME"))
    assert place.dns.answer(ZONE, "acme.pipeline", "CNAME") == (f"other.{ZONE}",)


def test_what_somebody_else_has_made_is_left_alone(place: Place) -> None:
    place.plant("acme.pipeline", "A", ["198.51.100.1"])
    found = place.dns.find(ZONE, "acme.pipeline", "A")
    assert found is not None
    assert found.labels.get(MANAGED_BY) != FROSTBYTE
    for attempt in (
        lambda: place.dns.put(wanted()),
        lambda: place.dns.put(wanted(ACME, "198.51.100.1")),
        lambda: place.dns.remove(ZONE, "acme.pipeline", "A"),
    ):
        with pytest.raises(Conflict) as caught:
            attempt()
        assert caught.value.code == "record_not_ours"
    assert place.dns.answer(ZONE, "acme.pipeline", "A") == ("198.51.100.1",)
    assert place.dns.observe() == []


@pytest.mark.parametrize(
    "other",
    [
        Owner(environment="test", project_id="main", tenant_id="zeta"),
        Owner(environment="production", project_id="main", tenant_id="acme"),
        Owner(environment="test", project_id="main"),
    ],
)
def test_what_another_owner_has_made_is_left_alone(place: Place, other: Owner) -> None:
    place.dns.put(wanted(other, "192.0.2.99"))
    with pytest.raises(Conflict) as caught:
        place.dns.put(wanted())
    assert caught.value.code == "record_not_ours"
    assert place.dns.answer(ZONE, "acme.pipeline", "A") == ("192.0.2.99",)


def test_a_zone_that_is_not_there_is_told(place: Place) -> None:
    other = WantedRecord(zone="else.test", name="a", type="A", values=("192.0.2.1",), labels=ACME.labels(RUN, "r"))
    with pytest.raises(FrostbyteError) as caught:
        place.dns.put(other)
    assert caught.value.code in ("dns_zone_missing", "dns_refused", "dns_unreachable")


# What only a provider without labels has.


def test_a_mark_that_was_left_by_a_crash_is_seen_and_gone_on_with(provider: Provider) -> None:
    with serving(NameServer(provider.records, ZONE)) as server:
        dns = lexicon(provider, server)
        patches = 0

        def crash(method: str) -> None:
            nonlocal patches
            patches += method == "PATCH"
            if patches == 2:
                raise ConnectionError

        provider.before = crash
        with pytest.raises(Unavailable) as caught:
            dns.put(wanted())
        assert caught.value.code == "dns_unreachable"
        provider.before = lambda _: None
        assert [key for key in provider.records if key[1] != "TXT"] == []
        (left,) = dns.observe()
        assert (left.resource_id, left.facts["values"], ACME.owns(left.labels)) == ("acme.pipeline/A", [], True)
        with pytest.raises(Conflict):
            dns.put(wanted(Owner(environment="test", project_id="main", tenant_id="zeta")))
        dns.put(wanted())
        assert dns.answer(ZONE, "acme.pipeline", "A") == ("192.0.2.10",)
        dns.remove(ZONE, "acme.pipeline", "A")
        assert provider.records == {}


def test_strangers_texts_are_no_marks(provider: Provider) -> None:
    with serving(NameServer(provider.records, ZONE)) as server:
        provider.records[f"_frostbyte-a.x.{ZONE}", "TXT"] = ['"v=spf1 -all"']
        provider.records[f"x.{ZONE}", "TXT"] = ['"managed-by=frostbyte,frostbyte-owner=base"']
        assert lexicon(provider, server).observe() == []


def test_a_slow_provider_is_given_up(provider: Provider) -> None:
    done = threading.Event()
    with serving(NameServer(provider.records, ZONE)) as server:
        dns = lexicon(provider, server)
        dns._seconds = 0.2
        provider.before = lambda _: done.wait(5) and None
        with pytest.raises(Unavailable, match="too long"):
            dns.find(ZONE, "acme.pipeline", "A")
        done.set()


def test_credentials_are_refused_and_shown_nowhere(provider: Provider) -> None:
    with serving(NameServer(provider.records, ZONE)) as server:
        dns = lexicon(provider, server, auth_token="another-secret")
        with pytest.raises(Conflict) as caught:
            dns.find(ZONE, "acme.pipeline", "A")
        assert caught.value.code == "dns_refused"
        assert "another-secret" not in repr(dns) + caught.value.message + repr(caught.value.__context__)


def test_nothing_is_fetched_to_know_where_a_zone_begins(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("the list of suffixes was asked for")

    monkeypatch.setattr("tldextract.TLDExtract.__init__", fetched)
    monkeypatch.setattr("dns.resolver.zone_for_name", fetched)
    with serving(NameServer(provider.records, ZONE)) as server:
        assert lexicon(provider, server).observe() == []


@pytest.mark.parametrize("name", ["nobody", "os", "..client", "", "Cloudflare"])
def test_an_unknown_provider_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        LexiconDns(name, {})
    assert caught.value.code == "dns_provider_unknown"


def test_credentials_are_a_token_or_options() -> None:
    assert credentials("abc-123\n") == {"auth_token": "abc-123"}
    assert credentials("1234") == {"auth_token": "1234"}
    assert credentials("auth_access_key: AK\nauth_access_secret: s3cret\n")["auth_access_secret"] == "s3cret"
    for bad in ("", "a b", "{", "- a", "a: [b]"):
        with pytest.raises(Invalid) as caught:
            credentials(bad)
        assert caught.value.code == "dns_credentials_unreadable"


def test_a_zone_that_no_simulated_server_has_is_unreachable(hetzner: Serving) -> None:
    for endpoint in (hetzner.endpoint, "http://127.0.0.1:9/v1"):
        with pytest.raises(Unavailable) as caught:
            SimulatedAuthority(endpoint).answer("nowhere.test", "a", "A")
        assert caught.value.code == "dns_unreachable"
