"""The packet filter with real packets: everybody tries everything, and what is open is what was meant to be."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from frostbyte.control_plane.provisioning.hosting import Surroundings
from frostbyte.deploy.hosts.firewall import rules
from hosts.facts import host
from hosts.wires import HOSTS, OUTSIDE, PORTS, SUBNET, Wires
from servers.lanes import need

CASES = tomllib.loads((Path(__file__).parent / "packets.toml").read_text())
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def described(role: str) -> Surroundings:
    more = {"edge": (OUTSIDE["edge"],), "control": (OUTSIDE["edge"],), "bastion": (OUTSIDE["bastion"],)}
    if role == "edge":
        return host(role, **more)
    hosts = HOSTS["small" if role == "single" else "standard"]
    address = hosts["worker-1" if role == "worker" else role]
    return host(role, hosts=hosts, address=address, subnet=SUBNET, **more)


@pytest.mark.parametrize("role", sorted(CASES))
def test_what_is_open_is_what_was_meant_to_be(role: str) -> None:
    need("root")
    need("nftables")
    with Wires(described(role)) as wires:
        wires.load(rules(described(role)))  # again, as a reload does
        assert wires.listed().count("table inet frostbyte") == 1
        assert "dnat to" in wires.listed() or role == "worker"  # nobody else's table was touched
        callers, called = wires.parties()
        tasks = [
            (caller, kind, whom, int(port))
            for caller in callers
            for whom in called
            if wires.apart(caller, whom)
            for kind, _, port in (one.partition("/") for one in PORTS)
        ]
        answers = dict(zip(tasks, wires.knock(tasks), strict=True))
    found = {f"{a} > {b} {kind}/{port}" for (a, kind, b, port), said in answers.items() if said != "closed"}
    assert len(tasks) > 300
    assert found == set(CASES[role]["open"])
    for caller, address in CASES[role]["seen"].items():
        seen = {said for (a, *_), said in answers.items() if a == caller and said != "closed"}
        assert f"open {address}" in seen, (caller, seen)  # masqueraded: nobody else's answers would find back


@pytest.mark.parametrize("role", ["gateway", "db"])
def test_without_the_table_much_more_is_open(role: str) -> None:
    """So that what is closed above is closed by the rules, and not by a wire that is missing."""
    need("root")
    need("nftables")
    with Wires(described(role)) as wires:
        wires.load("delete table inet frostbyte\n")
        port = 8080 if role == "gateway" else 5432
        asked = [
            ("foreign", "tcp", "private", 22),
            ("foreign", "tcp", "private", port),
            ("host", "tcp", "website", 443),
        ]
        asked += [("foreign", "tcp", "container", 9000), ("host", "tcp", "container", 22)]
        assert [said.split()[0] for said in wires.knock(asked)] == ["open"] * len(asked)


def test_a_file_that_cannot_be_loaded_changes_nothing() -> None:
    need("root")
    need("nftables")
    with Wires(described("db")) as wires:
        before = wires.listed()
        with pytest.raises(Exception, match="returned non-zero"):
            wires.load(rules(described("db")).replace("tcp dport 22 accept", "tcp dport ssh-ish accept"))
        assert wires.listed() == before
