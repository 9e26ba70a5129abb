"""What is believed of a zone is what its own name servers say, with authority, all of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from dns_zone.name_server import NameServer, serving
from frostbyte.adapters.dns.answers import Authority, Server, delegated, parse_server
from frostbyte.kernel.errors import Unavailable

ZONE = "frostbyte.test"
RECORDS = {
    (f"acme.pipeline.{ZONE}", "A"): ["192.0.2.20", "192.0.2.10"],
    (f"*.pipeline.{ZONE}", "A"): ["192.0.2.99"],
    (f"mark.{ZONE}", "TXT"): ['"one " "text"', '"another"'],
    (f"other.{ZONE}", "CNAME"): ["Edge.Example.COM."],
    (ZONE, "A"): ["192.0.2.1"],
}


@pytest.fixture
def server() -> Iterator[NameServer]:
    with serving(NameServer(dict(RECORDS))) as server:
        yield server


def authority(*servers: NameServer) -> Authority:
    return Authority([Server("127.0.0.1", server.port) for server in servers], seconds=0.5)


@pytest.mark.parametrize(
    ("name", "type", "values"),
    [
        ("acme.pipeline", "A", ("192.0.2.10", "192.0.2.20")),
        ("ACME.pipeline", "A", ("192.0.2.10", "192.0.2.20")),
        ("zeta.pipeline", "A", ("192.0.2.99",)),
        ("acme.pipeline", "AAAA", ()),
        ("nobody", "A", ()),
        ("mark", "TXT", ("another", "one text")),
        ("other", "CNAME", ("edge.example.com",)),
        ("@", "A", ("192.0.2.1",)),
    ],
)
def test_values_are_as_written(server: NameServer, name: str, type: str, values: tuple[str, ...]) -> None:
    assert authority(server).answer(ZONE, name, type) == values


def test_what_was_cut_comes_by_tcp(server: NameServer) -> None:
    server.truncates = True
    assert authority(server).answer(ZONE, "acme.pipeline", "A") == ("192.0.2.10", "192.0.2.20")
    assert [entry.split()[0] for entry in server.asked] == ["udp", "tcp"]


def test_who_has_no_authority_is_not_believed(server: NameServer) -> None:
    server.authoritative = False
    with pytest.raises(Unavailable) as caught:
        authority(server).answer(ZONE, "acme.pipeline", "A")
    assert caught.value.code == "dns_unreachable"
    server.authoritative, server.zone = True, "elsewhere.test"  # it refuses
    with pytest.raises(Unavailable):
        authority(server).answer(ZONE, "acme.pipeline", "A")


def test_one_that_is_silent_is_left_out_in_time(server: NameServer) -> None:
    begun = time.monotonic()
    with serving(NameServer(silent=True)) as mute:
        assert authority(mute, server).answer(ZONE, "zeta.pipeline", "A") == ("192.0.2.99",)
        with pytest.raises(Unavailable):
            authority(mute).answer(ZONE, "zeta.pipeline", "A")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            Authority([Server("127.0.0.1", nobody.getsockname()[1])], seconds=0.5).answer(ZONE, "a", "A")
    assert time.monotonic() - begun < 3


def test_servers_that_do_not_agree_have_not_settled(server: NameServer) -> None:
    with serving(NameServer({})) as late, pytest.raises(Unavailable) as caught:
        authority(server, late).answer(ZONE, "acme.pipeline", "A")
    assert caught.value.code == "dns_not_yet"


def test_a_zone_without_name_servers_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("dns.resolver.resolve", broken)
    with pytest.raises(Unavailable) as caught:
        delegated(ZONE)
    assert caught.value.code == "dns_unreachable"
    assert ZONE in caught.value.message


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", Server("192.0.2.1")),
        ("192.0.2.1:5353", Server("192.0.2.1", 5353)),
        ("2001:db8::1", Server("2001:db8::1")),
        ("[2001:db8::1]:54", Server("2001:db8::1", 54)),
        ("[2001:db8::1]", Server("2001:db8::1")),
    ],
)
def test_a_server_is_an_address_with_a_port(text: str, server: Server) -> None:
    assert parse_server(text) == server
