"""The packet filter as text: what each role lets through, and what must be so for all of them."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.hosts import facts as checked
from frostbyte.deploy.hosts.firewall import rules
from frostbyte.kernel.errors import Invalid
from hosts.facts import host
from servers.lanes import need, program

GOLDEN = Path(__file__).parent / "rules"
CASES = tomllib.loads((Path(__file__).parent / "refused_facts.toml").read_text())
ROLES = [role.value for role in HostRole]


def chain(text: str, name: str) -> list[str]:
    """The lines of one chain."""
    lines = text.split(f"    chain {name} {{\n", 1)[1].split("    }\n", 1)[0].splitlines()
    return [line.strip() for line in lines]


@pytest.mark.parametrize("role", ["gateway", "worker", "db", "single", "edge", "bastion"])
def test_the_rules_of_a_role_are_those_that_were_read(role: str) -> None:
    """Written out so that a change of what a host lets through is seen as one."""
    assert rules(host(role)) == (GOLDEN / f"{role}.nft").read_text()


@pytest.mark.parametrize("role", ROLES)
def test_everything_is_closed_first_and_only_our_table_is_touched(role: str) -> None:
    text = rules(host(role))
    for name in ("input", "forward", "output"):
        assert chain(text, name)[0] == f"type filter hook {name} priority filter - 10; policy drop;"
    assert "flush ruleset" not in text
    assert [line for line in text.splitlines() if "table" in line and not line.startswith("#")] == [
        "table inet frostbyte",
        "delete table inet frostbyte",
        "table inet frostbyte {",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_no_container_reaches_the_metadata(role: str) -> None:
    lines = chain(rules(host(role)), "forward")
    if lines[1:]:
        refused = lines.index('ip daddr 169.254.0.0/16 drop comment "the metadata of the cloud"')
        assert all("established" in line or "invalid" in line for line in lines[1:refused])


@pytest.mark.parametrize("role", ROLES)
def test_whatever_is_accepted_names_who_or_where(role: str) -> None:
    """No line lets everybody everywhere, but the ones that are listed here."""
    plain = {'iifname "lo" accept', 'oifname "lo" accept', "ct state { established, related } accept"}
    for name in ("input", "forward", "output"):
        for line in chain(rules(host(role)), name)[1:]:
            if " accept" not in line or line in plain or line.startswith(("icmpv6", "udp sport")):
                continue
            if role == "builder" and "dport" in line and name == "output":
                continue  # packages come from anywhere, while nothing of ours is on it
            named = ("ip saddr", "ip daddr", "oifname", "iifname")
            to_gateways = role == "bastion" and line.startswith("tcp dport 22 accept")
            assert to_gateways or any(word in line for word in named), line


def test_without_a_way_out_nothing_goes_out() -> None:
    for role in ("gateway", "single", "worker", "db"):
        text = rules(host(role, ways_out=()))
        assert "3128" not in text
        assert "dport 53" not in text
        assert "443 accept" not in text.replace("8443", "")


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: str(case["facts"])[:60])
def test_what_is_not_written_as_it_must_be_is_refused(case: dict[str, Any]) -> None:
    given_facts = {name: tuple(v) if isinstance(v, list) else v for name, v in case["facts"].items()}
    with pytest.raises(Invalid) as refused:
        checked.check(host(case["role"], **given_facts))
    assert refused.value.code == "host_facts"
    assert f"`{case['names']}`" in refused.value.message


@pytest.mark.parametrize("role", ROLES)
def test_what_the_other_tests_describe_is_accepted(role: str) -> None:
    checked.check(host(role))


@given(text=st.text(max_size=40), fact=st.sampled_from(["name", "edge", "control", "bastion", "ways_out", "resolvers"]))
def test_no_text_becomes_a_rule_of_its_own(text: str, fact: str) -> None:
    """Whatever a fact says: it is refused, or the rules have the same shape as with any other."""
    told = host("gateway", **{fact: text if fact == "name" else (text,)})
    try:
        checked.check(told)
    except Invalid:
        return
    usual = [line.split()[0] for line in rules(host("gateway")).splitlines() if line.strip()]
    assert [line.split()[0] for line in rules(told).splitlines() if line.strip()] == usual


@pytest.mark.parametrize("role", ROLES)
def test_nftables_itself_reads_them(role: str) -> None:
    need("nftables")
    need("root")
    nft = str(program("nft"))
    command = ["unshare", "--net", nft, "--check", "--file", "-"]
    done = subprocess.run(command, input=rules(host(role)), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
