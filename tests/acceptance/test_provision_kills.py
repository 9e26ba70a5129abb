"""Promise 7: kill the provisioner at any moment, let anything go wrong at any call: nothing is left without an owner.

Provisioners are real processes with the real adapter of the cloud, against the simulated one over HTTP, with a real
PostgreSQL as the journal. Each run here ends with its owner in service or cleanly gone, whatever was done to it.
A seeded sample runs with the slow tests; FROSTBYTE_SOAK=all runs every tap and every fault at every call.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from acceptance.simulated_sky import Place, Sky
from draws import SEED, SOAK
from frostbyte.adapters.hetzner.world.faults import KINDS, Fault
from frostbyte.control_plane.provisioning.journal import Direction, EntryState, RunState
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.states import TenantState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if SOAK else 180)]

REQUEST: dict[str, Any] = {"workers": 2}
PARTS = ("gateway", "worker-1", "worker-2", "db", "data", "network")
BASE_NAMES = {"fb-edge", "fb-bastion", "fb-gateway", "fb-operators"}
DESTROY = {"destroy_data": True}
TRIES = 40
"""Provisioners that may carry a run in turn before it has to have ended."""
CERTAIN = ("connection_reset", "lost_reply", "server_error", "bad_gateway", "unavailable", "timeout", "error_after")
"""What passes by: a run that meets one of these once goes on and succeeds."""
BRIEF = {"seconds": 0.05}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sky]:
    with Sky(tmp_path_factory.mktemp("sky")) as sky:
        yield sky


@pytest.fixture(scope="module")
def laid(sky: Sky) -> Place:
    """A project with its base."""
    place = sky.project("laid")
    assert ended(place, sky.begin(place.base, Direction.UP, {})) is RunState.SUCCEEDED
    place.strangers = place.things()
    return place


@dataclass
class Counted:
    """How many runs there were, and how they ended."""

    ends: Counter[str]

    def say(self, what: str) -> None:
        print(f"{what} (FROSTBYTE_SEED={SEED}): {dict(sorted(self.ends.items()))}")


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Iterator[Counted]:
    counted = Counted(Counter())
    yield counted
    counted.say(request.node.name)


def fresh(place: Place) -> Owner:
    """A tenant that was just made."""
    tenant_id = f"t{next(_numbers)}"
    place.sky.tenant(tenant_id, place.name)
    return place.owner(tenant_id)


def ended(place: Place, run_id: UUID) -> RunState:
    """Let provisioners carry a run until it has ended."""
    for _ in range(TRIES):
        place.carry(run_id)
        run = place.sky.run(run_id)
        if run.state is not RunState.RUNNING:
            return run.state
    raise AssertionError("the run does not come to an end")


def in_service(place: Place, owner: Owner) -> None:
    """It has everything once, the journal owns exactly that, and nobody else's was touched."""
    there = place.things(owner)
    names = sorted(name for name, _ in there.values())
    wanted = sorted(owner.name(part) for part in PARTS)
    assert [name for name in names if name.startswith("fb-")] == wanted, names
    assert len(there) == len(wanted) + 1, there  # and its record
    assert all(row.state is EntryState.DONE for row in place.sky.entries(owner))
    _closed(place, owner)


def base_stands(place: Place) -> None:
    """The same of a base."""
    names = {name for name, _ in place.things(place.base).values()}
    assert names >= BASE_NAMES, names
    assert all(row.state is EntryState.DONE for row in place.sky.entries(place.base))
    _closed(place, place.base)


def gone(place: Place, owner: Owner) -> None:
    """Nothing of it is left, in the cloud or in the journal, and nobody else's was touched."""
    assert place.things(owner) == {}
    assert place.sky.entries(owner) == []
    _closed(place, owner)


def _closed(place: Place, owner: Owner) -> None:
    """The bill and the journal say the same; what is not this owner's is as it was."""
    everything = place.things()
    assert set(place.things(owner)) == place.journalled([owner])
    assert {thing: told for thing, told in everything.items() if thing not in place.things(owner)} == place.strangers


def provisioned(place: Place, owner: Owner, run_id: UUID, counted: Counted) -> bool:
    """The run has ended: whether its owner is in service."""
    run = place.sky.run(run_id)
    place.sky.conclude(run_id)
    if owner.tenant_id:
        wanted = TenantState.ACTIVE if run.state is RunState.SUCCEEDED else TenantState.DEPROVISIONED
        assert place.sky.state(owner) is wanted
    if run.state is RunState.SUCCEEDED:
        (in_service(place, owner) if owner.tenant_id else base_stands(place))
    else:
        assert run.direction is Direction.BACK, run
        assert run.code
        gone(place, owner)
    counted.ends[f"{'provision' if owner.tenant_id else 'base up'} {run.state}"] += 1
    return run.state is RunState.SUCCEEDED


def deprovisioned(place: Place, owner: Owner, kill_at: int, counted: Counted) -> None:
    """Take it down, with a provisioner that is killed on the way, and see that it is gone."""
    run_id = place.sky.begin(owner, Direction.DOWN, DESTROY)
    killed = place.carry(run_id, kill_at=kill_at)["killed"]
    if place.sky.run(run_id).state is RunState.RUNNING:
        ended(place, run_id)
    assert place.sky.run(run_id).state is RunState.SUCCEEDED
    place.sky.conclude(run_id)
    gone(place, owner)
    kind = "deprovision" if owner.tenant_id else "base down"
    counted.ends[f"{kind} {'killed' if killed else 'undisturbed'}"] += 1


def taps_of(place: Place, owner: Owner, direction: Direction, request: dict[str, Any]) -> int:
    """How many taps an undisturbed run has."""
    run_id = place.sky.begin(owner, direction, request)
    answer = place.carry(run_id)
    assert answer["state"] == "succeeded", answer
    place.sky.conclude(run_id)
    return len(answer["taps"])


@pytest.fixture(scope="module")
def base_taps(sky: Sky) -> tuple[int, int]:
    """Of a base that is brought up and taken down."""
    place = sky.project("measured")
    return taps_of(place, place.base, Direction.UP, {}), taps_of(place, place.base, Direction.DOWN, DESTROY)


@pytest.fixture(scope="module")
def taps(laid: Place) -> tuple[int, int]:
    """Of a provisioning, and of its way down."""
    owner = fresh(laid)
    return taps_of(laid, owner, Direction.UP, REQUEST), taps_of(laid, owner, Direction.DOWN, DESTROY)


@pytest.fixture(scope="module")
def requests(laid: Place, taps: tuple[int, int]) -> list[str]:
    """Those of a provisioning, as faults are matched with them."""
    world, owner = laid.sky.world, fresh(laid)
    before = len(world.requests)
    taps_of(laid, owner, Direction.UP, REQUEST)
    made = [f"{one.method} {one.path}" for one in world.requests[before:]]
    taps_of(laid, owner, Direction.DOWN, DESTROY)
    return made


def sampled(most: int, size: int) -> list[int]:
    """Numbers from 1 to most: all, or some of every stretch."""
    if SOAK:
        return list(range(1, most + 1))
    rng = random.Random(SEED)
    step = most / size
    return [min(most, 1 + int(step * (number + rng.random()))) for number in range(size)]


def killed_on_the_way_up(place: Place, owner: Owner, kill_at: int, *, back: bool, request: dict[str, Any]) -> UUID:
    """A run whose provisioner was killed at a tap, and that then went on to its end, or was given up."""
    run_id = place.sky.begin(owner, Direction.UP, request)
    place.carry(run_id, kill_at=kill_at)
    if place.sky.run(run_id).state is RunState.RUNNING:
        if back:
            place.sky.turn_back(run_id)
            place.carry(run_id, kill_at=1 + kill_at * 7 % 100)  # the way back is cut off as well
        if place.sky.run(run_id).state is RunState.RUNNING:
            ended(place, run_id)
    return run_id


def test_a_tenant_whose_provisioner_is_killed_at_any_tap_is_in_service_or_gone(
    laid: Place, taps: tuple[int, int], counted: Counted
) -> None:
    up, down = taps
    assert up > 150
    for number, kill_at in enumerate(sampled(max(up, down), 12)):
        for back in (False, True) if SOAK else (number % 3 == 2,):
            owner = fresh(laid)
            run_id = killed_on_the_way_up(laid, owner, kill_at, back=back, request=REQUEST)
            if provisioned(laid, owner, run_id, counted):
                deprovisioned(laid, owner, kill_at, counted)


def test_a_base_whose_provisioner_is_killed_at_any_tap_stands_or_is_gone(
    sky: Sky, base_taps: tuple[int, int], counted: Counted
) -> None:
    up, down = base_taps
    assert up > 100
    for number, kill_at in enumerate(sampled(max(up, down), 6)):
        for back in (False, True) if SOAK else (number % 3 == 2,):
            place = sky.project(f"base{next(_numbers)}")
            run_id = killed_on_the_way_up(place, place.base, kill_at, back=back, request={})
            if provisioned(place, place.base, run_id, counted):
                deprovisioned(place, place.base, kill_at, counted)
            sky.forget(place)


def fitting(name: str, requests: list[str]) -> int:
    """How many of a run's requests a fault can act on."""
    return sum(re.fullmatch(KINDS[name].only or ".*", request) is not None for request in requests)


def faults(place: Place, requests: list[str]) -> list[Fault]:
    """Each fault by name, at each call that it can act on: all of them, or a sample."""
    rng, names = random.Random(SEED), sorted(KINDS)
    chosen = {name: range(1, 1 + fitting(name, requests)) for name in (names if SOAK else rng.sample(names, 8))}
    return [
        Fault(name=name, at=at, options=dict(BRIEF), project=place.name)
        for name, every in chosen.items()
        for at in (every if SOAK or not every else [rng.choice(every)])
    ]


def test_a_fault_at_any_call_leaves_a_tenant_in_service_or_gone(
    laid: Place, requests: list[str], counted: Counted
) -> None:
    world = laid.sky.world
    assert len(requests) > 40
    for way_up in faults(laid, requests):
        owner = fresh(laid)
        world.fault(way_up)
        run_id = laid.sky.begin(owner, Direction.UP, REQUEST)
        ended(laid, run_id)
        world.clear_faults()
        if way_up.acted:
            counted.ends[f"{way_up.name} up"] += 1
        stands = provisioned(laid, owner, run_id, counted)
        assert stands or way_up.name not in CERTAIN, (way_up, laid.sky.run(run_id).code)
        if stands:
            way_down = Fault(name=way_up.name, at=way_up.at, options=dict(BRIEF), project=laid.name)
            world.fault(way_down)
            down_with_a_fault(laid, owner, way_down, counted)


def down_with_a_fault(place: Place, owner: Owner, fault: Fault, counted: Counted) -> None:
    """The way down ends well, or says what remains and ends well when it is tried again without the fault."""
    run_id = place.sky.begin(owner, Direction.DOWN, DESTROY)
    state = ended(place, run_id)
    place.sky.world.clear_faults()
    place.sky.conclude(run_id)
    if fault.acted:
        counted.ends[f"{fault.name} down {state}"] += 1
    if state is RunState.FAILED:
        assert fault.name not in CERTAIN, fault
        tried_again(place, owner)
    gone(place, owner)


def tried_again(place: Place, owner: Owner) -> None:
    """What a way down could not take away is in the journal, and goes with the next one."""
    assert place.sky.state(owner) is TenantState.FAILED
    assert set(place.things(owner)) <= place.journalled([owner])
    run_id = place.sky.begin(owner, Direction.DOWN, DESTROY)
    assert ended(place, run_id) is RunState.SUCCEEDED
    place.sky.conclude(run_id)


def disturbed(place: Place, owners: list[Owner], runs: list[UUID], rng: random.Random) -> tuple[int, int]:
    """Both runs at once, each by provisioners that are killed, with faults for both; how many kills and faults."""
    sky, kills, struck = place.sky, 0, 0
    for turn in range(TRIES):
        running = [number for number, run_id in enumerate(runs) if sky.run(run_id).state is RunState.RUNNING]
        if not running:
            return kills, struck
        calm = turn >= 6
        if not calm and rng.random() < 0.5:
            name = rng.choice(sorted(KINDS))
            sky.world.fault(Fault(name=name, at=rng.randint(1, 40), options=dict(BRIEF), project=place.name))
        for number in running:
            kill_at = 0 if calm else rng.randint(1, 160)
            sky.provisioners[number].send(place.job(runs[number], kill_at=kill_at))
        for number in running:
            kills += sky.provisioners[number].answer()["killed"]
        struck += sum(fault.acted > 0 for fault in sky.world.faults)
        sky.world.clear_faults()
    raise AssertionError((owners, "the runs do not come to an end"))


@pytest.mark.parametrize("round", range(60 if SOAK else 2))
def test_two_tenants_at_once_with_kills_and_faults_at_random(laid: Place, round: int, counted: Counted) -> None:
    rng = random.Random(SEED * 1000 + round)
    owners = [fresh(laid), fresh(laid)]
    for direction, request in ((Direction.UP, REQUEST), (Direction.DOWN, DESTROY)):
        there = [owner for owner in owners if direction is Direction.UP or laid.sky.state(owner) is TenantState.ACTIVE]
        runs = [laid.sky.begin(owner, direction, request) for owner in there]
        kills, struck = disturbed(laid, there, runs, rng)
        counted.ends["kills"] += kills
        counted.ends["faults"] += struck
        for owner, run_id in zip(there, runs, strict=True):
            run = laid.sky.run(run_id)
            counted.ends[f"{direction} {run.direction} {run.state}"] += 1
            laid.sky.conclude(run_id)
            if direction is Direction.DOWN and run.state is RunState.FAILED:
                tried_again(laid, owner)
            assert set(laid.things(owner)) == laid.journalled([owner])
            assert direction is Direction.UP or not laid.sky.entries(owner)
        beside = {thing for owner in owners for thing in laid.things(owner)}
        rest = {thing: told for thing, told in laid.things().items() if thing not in beside}
        assert rest == laid.strangers
