"""Every difference between journal and cloud, as data."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as row

from frostbyte.control_plane.provisioning.drift import drift
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from provisioning.planning import BASE, NOW, RUN, base, carried_out, catalogue, wanted

CASES = tomllib.loads(Path(__file__).with_name("drift_cases.toml").read_text())["case"]
KNOWN = {
    *("name", "lost", "renumbered", "set", "added", "foreign", "states", "rule", "without_rule", "expect"),
}
WANTED = wanted()


def shown(entries: list[EntryRow], owner: Owner) -> list[Found]:
    """What a cloud shows where everything is as the journal says."""
    by_key = {entry.key: entry for entry in entries}
    servers = [entry.resource_id for entry in entries if entry.kind == "server"]
    facts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        spec = entry.spec
        if entry.kind == "network":
            subnet = {"cidr": spec["subnet"], "zone": spec["zone"]}
            facts[entry.key] = {"cidr": spec["cidr"], "subnets": [subnet], "servers": servers}
        elif entry.kind == "server":
            volume = by_key["volume"].resource_id
            facts[entry.key] = {
                "status": "running",
                "type": entry.facts.get("type", "cx43"),
                "location": entry.facts.get("location", "nbg1"),
                "public_address": entry.facts.get("address", ""),
                "private_address": spec["address"],
                "networks": [by_key["network"].resource_id],
                "volumes": [volume] if spec["volume"] else [],
                "firewalls": [by_key["firewall"].resource_id] if spec["public"] else [],
            }
        elif entry.kind == "volume":
            facts[entry.key] = {"size_gb": spec["size_gb"], "server": by_key[spec["server"]].resource_id}
        elif entry.kind == "record":
            facts[entry.key] = {"values": spec["values"]}
    found = [
        Found(
            kind=Kind(by_key[key].kind),
            resource_id=by_key[key].resource_id,
            name=by_key[key].name,
            labels=owner.labels(RUN, key),
            facts=told,
        )
        for key, told in facts.items()
    ]
    guard = by_key["firewall"]
    rules = {"rules": guard.spec["rules"], "selectors": [guard.spec["selector"]]}
    labels = BASE.labels(RUN, "firewall.gateway")
    firewall = Found(kind=Kind.FIREWALL, resource_id=guard.resource_id, name=guard.name, labels=labels, facts=rules)
    return [*found, firewall]


def happened(case: dict[str, Any], entries: list[EntryRow], found: list[Found]) -> list[Found]:
    """What the cloud shows after what happened in a case."""
    ids = {entry.key: entry.resource_id for entry in entries}
    stands = {"NETWORK": ids["network"], "VOLUME": ids["volume"], "FIREWALL": ids["firewall"]}
    lost = {ids[key] for key in case.get("lost", ())}
    renumbered = {ids[key] for key in case.get("renumbered", ())}
    for place, value in case.get("set", {}).items():
        what, _, field = place.rpartition(".")
        kind, _, part = what.partition(" ")
        name = part if "/" in part else WANTED.owner.name(part)
        [one] = [each for each in found if (each.kind, each.name) == (Kind(kind), name)]
        told = [stands.get(each, each) for each in value] if field in ("networks", "volumes", "firewalls") else value
        found[found.index(one)] = replace(one, facts={**one.facts, field: told})
    firewall = found[-1]
    rules = [rule for rule in firewall.facts["rules"] if rule["port"] != case.get("without_rule")]
    found[-1] = replace(firewall, facts={**firewall.facts, "rules": rules + ([case["rule"]] if "rule" in case else [])})
    for kind, name in case.get("added", {}).items():
        labels = WANTED.owner.labels(RUN, "x")
        found.append(Found(kind=Kind(kind), resource_id="9002", name=name, labels=labels))
    for kind, name in case.get("foreign", {}).items():
        found.append(Found(kind=Kind(kind), resource_id="9003", name=name, labels={}))
    network = found[0]
    there = [each for each in network.facts["servers"] if each not in lost]
    found[0] = replace(network, facts={**network.facts, "servers": there})
    left = [one for one in found if one.resource_id not in lost]
    return [replace(one, resource_id="9001") if one.resource_id in renumbered else one for one in left]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_a_difference(case: dict[str, Any]) -> None:
    assert case.keys() <= KNOWN
    made = plan(WANTED, [], [], catalogue(), NOW)
    all_done = carried_out(made)
    cloud = happened(case, all_done, shown(all_done, WANTED.owner))
    told = drift(WANTED.owner, carried_out(made, case.get("states")), cloud)
    assert [
        [one.what.value, one.kind.value, one.name.removeprefix("fb-acme-").removeprefix("fb-"), one.field, one.found]
        for one in told
    ] == case["expect"]


def test_the_base_drifts_as_well() -> None:
    made = plan(base(), [], [], catalogue(), NOW)
    entries = [
        row(entry, facts={"address": "198.51.100.7"}) if entry.kind == "primary_ip" else entry
        for entry in carried_out(made)
    ]
    firewall = next(entry for entry in entries if entry.key == "firewall.gateway")
    # What is there names addresses where the step names other steps; both addresses are the same here.
    rules = [{**rule, "addresses": ["198.51.100.7/32"]} for rule in firewall.spec["rules"]]
    as_made = Found(
        kind=Kind.FIREWALL,
        resource_id=firewall.resource_id,
        name=firewall.name,
        labels=BASE.labels(RUN, firewall.key),
        facts={"rules": rules, "selectors": [firewall.spec["selector"]]},
    )
    of_it = [entry for entry in entries if entry.key == firewall.key or entry.kind == "primary_ip"]
    lost, lost_too, *rest = drift(BASE, of_it, [as_made])
    assert (lost.what, lost_too.what, rest) == ("missing", "missing", [])  # the addresses are not shown here
    wider = replace(as_made, facts={**as_made.facts, "selectors": ["x==y", firewall.spec["selector"]]})
    *_, told = drift(BASE, of_it, [wider])
    assert (told.what, told.field, told.found) == ("extra", "selectors", "x==y")
