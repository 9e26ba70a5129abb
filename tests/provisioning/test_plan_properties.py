"""What holds for every plan, whatever is asked for, sold, and there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.desired import MOST_WORKERS, inside
from frostbyte.control_plane.provisioning.plan import critical_seconds, plan
from frostbyte.control_plane.provisioning.resources import LABEL_VALUE, HostRole
from frostbyte.control_plane.provisioning.steps import Action, Plan
from frostbyte.control_plane.provisioning.undo import backwards, parted
from provisioning.planning import GROUND, NOW, RUN, base, carried_out, catalogue, changed, keys, wanted

SOLD = catalogue()
TYPES = sorted(SOLD.types)
PLACES = sorted(SOLD.locations)
HOSTS = some.sampled_from(["gateway", "worker", "db", "single"])

requests = some.fixed_dictionaries(
    {},
    optional={
        "shape": some.sampled_from(["small", "standard"]),
        "workers": some.integers(1, MOST_WORKERS),
        "locations": some.lists(some.sampled_from(PLACES), min_size=1, unique=True),
        "types": some.dictionaries(HOSTS, some.lists(some.sampled_from(TYPES), min_size=1, unique=True)),
        "volume_gb": some.integers(10, 10_240),
        "egress": some.lists(some.sampled_from(["hooks.example.com:443", "id.example.org:8443"]), unique=True),
    },
)
markets = some.builds(
    changed,
    some.just(SOLD),
    out=some.lists(some.sampled_from([*TYPES, *(f"{a}@{b}" for a in TYPES for b in PLACES)]), max_size=12),
    leaving=some.dictionaries(some.sampled_from(TYPES), some.integers(-400, 400), max_size=4),
    gone=some.lists(some.sampled_from(TYPES), max_size=4),
)
grounds = some.builds(
    lambda images: replace(GROUND, images=dict.fromkeys(images, "1001")),
    some.sets(some.sampled_from(["x86", "arm"])),
)


def sound(made: Plan) -> None:
    """A plan that an engine can run: a graph without circles, in an order that can run, every name once."""
    before: set[str] = set()
    for step in made.steps:
        assert set(step.needs) <= before, step.key
        assert step.key not in before
        before.add(step.key)
        assert LABEL_VALUE.fullmatch(step.key), "its key is a label of what it makes"
        assert step.spec_sha256 == replace(step, spec=dict(reversed(step.spec.items()))).spec_sha256
        references = [
            value for name, value in step.spec.items() if name in ("server", "network", "volume", "primary_ip")
        ]
        for key in references:
            assert key in ("", False, True) or key in reachable(made, step.key), (step.key, key)
    named = [(step.kind, step.name) for step in made.steps if step.kind]
    assert len(set(named)) == len(named)
    assert all(name for _, name in named)


def reachable(made: Plan, key: str) -> set[str]:
    """Everything that a step needs, directly or not."""
    needs = {step.key: step.needs for step in made.steps}
    found: set[str] = set()
    left = [*needs[key]]
    while left:
        found.add(left[-1])
        left += needs[left.pop()]
    return found


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(values=requests, market=markets, on=grounds, octet=some.integers(1, 254))
def test_every_plan_can_run_and_leaves_no_allowed_place(
    values: dict[str, Any], market: Any, on: Any, octet: int
) -> None:
    desired = wanted(values, octet=octet, on=on)
    made = plan(desired, [], [], market, NOW)
    sound(made)
    assert plan(desired, [], [], market, NOW) == made, "the same in, the same out"
    subnet = IPv4Network(f"10.{octet}.1.0/24")
    addresses = [IPv4Address(step.spec["address"]) for step in made.steps if step.action is Action.JOIN]
    assert len(set(addresses)) == len(addresses) == len(desired.hosts)
    assert all(address in subnet and inside(str(address), str(subnet)) for address in addresses)
    for step in made.steps:
        if step.action is not Action.SERVER:
            continue
        for one in step.spec["candidates"]:
            kind = market.types[one["type"]]
            assert one["location"] in desired.request.locations
            assert market.locations[one["location"]].zone == "eu-central"
            assert kind.architecture == one["architecture"] in on.images
            assert placement.fits(HostRole(step.spec["role"]), kind.memory_mb)
            assert kind.offers[one["location"]].available
        assert bool(step.spec["candidates"]) or made.problems
    volume = next(step for step in made.steps if step.action is Action.VOLUME)
    store = next(step for step in made.steps if step.key == volume.spec["server"])
    assert store.spec["volume"] is True
    assert volume.key not in reachable(made, store.key), "it is made where its server is"


@settings(max_examples=40, deadline=None)
@given(values=requests, market=markets, later=markets, states=some.data())
def test_what_was_made_stays_whatever_the_market_does(
    values: dict[str, Any], market: Any, later: Any, states: some.DataObject
) -> None:
    desired = wanted(values)
    first = plan(desired, [], [], market, NOW)
    if first.problems:
        return
    step_states = states.draw(
        some.dictionaries(some.sampled_from(keys(first)), some.sampled_from(["intended", "gone", "none"]), max_size=6)
    )
    entries = carried_out(first, step_states)
    second = plan(desired, [], entries, later, NOW)
    sound(second)
    standing = {entry.key: entry for entry in entries if entry.state in ("intended", "done")}
    for step in second.steps:
        if step.key in standing:
            assert step.spec_sha256 == standing[step.key].spec_sha256, step.key
    assert second.facts["surplus"] == []


@settings(max_examples=40, deadline=None)
@given(values=requests, states=some.data(), served=some.booleans(), destroy=some.booleans())
def test_the_way_down_takes_everything_that_lives_and_nothing_before_what_stands_on_it(
    values: dict[str, Any], states: some.DataObject, served: bool, destroy: bool
) -> None:
    made = plan(wanted(values), [], [], SOLD, NOW)
    if made.problems:
        return
    step_states = states.draw(
        some.dictionaries(some.sampled_from(keys(made)), some.sampled_from(["intended", "gone", "none"]), max_size=6)
    )
    live = [entry for entry in carried_out(made, step_states) if entry.state != "gone"]
    gone, kept = parted(live, served=served, destroy=destroy)
    going = [entry.key for entry in gone]
    assert {entry.key for entry in kept} == (
        {entry.key for entry in live} & {"volume"} if served and not destroy else set()
    )
    assert sorted([*going, *(entry.key for entry in kept)]) == sorted(entry.key for entry in live)
    waits, done = backwards(gone), set[str]()
    up = {step.key: set(step.needs) for step in made.steps}
    for key in going:
        assert waits[key] <= done
        assert not any(key in up[other] for other in set(going) - done - {key})
        done.add(key)


@settings(max_examples=30, deadline=None)
@given(market=markets, later=markets)
def test_a_base_can_run_and_stays(market: Any, later: Any) -> None:
    made = plan(base(), [], [], market, NOW)
    sound(made)
    if made.problems:
        return
    assert plan(base(), [], carried_out(made), later, NOW).facts["standings"] == dict.fromkeys(keys(made), "done")


def test_independent_steps_wait_for_nobody() -> None:
    """The longest way leads through one server's life, not through all of them."""
    made = plan(wanted({"workers": 8}), [], [], SOLD, NOW)
    few = plan(wanted({"workers": 1}), [], [], SOLD, NOW)
    assert critical_seconds(made.steps, lambda step: step.seconds) == critical_seconds(
        few.steps, lambda step: step.seconds
    )
    assert [step.key for step in made.steps if not step.needs] == [
        "network",
        "firewall",
        "secrets",
        "record",
        *(f"server.worker-{number}" for number in range(1, 9)),
        "server.db",
    ]


def test_another_owners_journal_and_resources_count_for_nothing() -> None:
    other = plan(wanted(tenant_id="other"), [], [], SOLD, NOW)
    made = plan(wanted(), [], carried_out(other), SOLD, NOW)
    assert set(made.facts["standings"].values()) == {"new"}
    assert made.facts["surplus"] == []


def test_labels_say_whose_step_it_is() -> None:
    labels = wanted().owner.labels(RUN, "server.worker-12", HostRole.WORKER)
    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
