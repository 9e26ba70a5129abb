"""The loop that tells planes: what it believes, whom it waits for, and what it does while the database is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Never

import pytest
from msgspec.structs import replace

from control.killswitch.planes import KEY, UNREACHABLE, World
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.killswitch.pace import Lane
from frostbyte.control_plane.registry.records import OperationStatus
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.directive import open_directive
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.verifying_keys import PinnedKeys


@pytest.fixture
def world() -> World:
    made = World()
    made.tenants("acme", "globex")
    made.attach("acme")
    made.attach("globex")
    return made


class Liar:
    """A plane behind something that changes its answers."""

    def __init__(self, plane: Any, change: Callable[[PlaneStanding], PlaneStanding]) -> None:
        self._plane, self._change = plane, change

    def standing(self) -> PlaneStanding:
        return self._change(self._plane.standing())

    def put(self, directive: str) -> PlaneStanding:
        return self._change(self._plane.put(directive))


def lie(world: World, change: Callable[[PlaneStanding], PlaneStanding]) -> None:
    world.planes[world.url("acme")] = Liar(world.plane("acme"), change)


def ringing(world: World) -> dict[str, tuple[str, ...]]:
    return world.alarms.ringing()


def recorded() -> Callable[[PlaneStanding], PlaneStanding]:
    kept: list[PlaneStanding] = []

    def change(answer: PlaneStanding) -> PlaneStanding:
        kept.append(answer)
        return kept[0]

    return change


LIES: dict[str, tuple[Callable[[PlaneStanding], PlaneStanding], str]] = {
    "another tenant": (lambda answer: replace(answer, tenant_id="globex"), "plane_foreign_tenant"),
    "another log": (lambda answer: replace(answer, log_key="x+y"), "standing_log_key"),
    "a version of its own": (lambda answer: replace(answer, version=99), "standing_ahead"),
    "an old version": (lambda answer: replace(answer, version=0), "standing_behind"),
    "another state": (lambda answer: replace(answer, state=PlaneState.ACTIVE), "standing_not_taken"),
    "a recording": (recorded(), "standing_replayed"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_named_kept_and_not_believed(name: str, world: World) -> None:
    change, code = LIES[name]
    honest = world.plane("acme")
    lie(world, change)
    operation = world.do(Move.SUSPEND, "acme")
    world.settle()
    assert code in ringing(world)["acme"]
    assert set(ringing(world)) == {"acme"}, "the culprit alone"
    assert world.operations.show(operation.operation_id).status is OperationStatus.RUNNING
    assert world.edge.gates == {"acme": Gate.CLOSED, "globex": Gate.OPEN}
    world.planes[world.url("acme")] = honest
    world.settle()
    assert ringing(world) == {}
    assert world.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_the_evidence_of_an_alarm_outlives_it(world: World) -> None:
    honest = world.plane("acme")
    lie(world, lambda answer: replace(answer, tenant_id="x\x1b[31m" * 99))
    world.pusher.exchange(world.entry("acme"))
    with world.registry.unit_of_work() as uow:
        (row, *_) = uow.alarms.ringing("acme")
    assert (row.expected, row.came[:6], len(row.came)) == ("acme", "x?[31m", 200)
    world.planes[world.url("acme")] = honest
    world.start()  # an alarm that rang before the process began is settled as well
    world.pusher.exchange(world.entry("acme"))
    assert ringing(world) == {}


def test_a_plane_that_was_restored_from_a_copy_is_told_again(world: World) -> None:
    world.do(Move.SUSPEND, "acme")
    world.settle()
    world.planes[world.url("acme")] = MemoryPlane("acme", PinnedKeys((KEY.public,)))
    assert world.plane("acme").standing().state is PlaneState.ACTIVE
    world.pusher.exchange(world.entry("acme"))
    assert world.plane("acme").standing().state is PlaneState.SUSPENDED
    world.pusher.exchange(world.entry("acme"))
    assert ringing(world) == {}


def test_an_old_directive_that_somebody_sends_again_does_nothing(world: World) -> None:
    plane, sent = world.plane("acme"), list[str]()
    real = plane.put
    plane.put = lambda text: sent.append(text) or real(text)
    world.pusher.exchange(world.entry("acme"))
    world.do(Move.SUSPEND, "acme")
    world.settle()
    with pytest.raises(FrostbyteError) as refused:
        real(sent[0])
    assert refused.value.code in ("directive_nonce", "directive_stale")
    assert plane.standing().state is PlaneState.SUSPENDED


def test_a_nonce_that_somebody_else_took_costs_one_more_exchange(world: World) -> None:
    plane = world.plane("acme")
    real, taken = plane.standing, []

    def standing() -> PlaneStanding:
        answer = real()
        if not taken:
            taken.append(real())
        return answer

    plane.standing = standing
    assert world.pusher.exchange(world.entry("acme"))


def test_leases_are_renewed_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise Unavailable("database_unavailable", "Away.", "")

    stored = world.pusher._standings
    monkeypatch.setattr(stored, "_unit_of_work", away)
    assert world.pusher.exchange(world.entry("acme"))
    world.pusher.store()
    left = world.plane("acme").standing().lease_seconds_left
    assert left is not None
    assert left > 50
    monkeypatch.undo()
    world.clock.advance(5)
    world.pusher.exchange(world.entry("globex"))
    world.pusher.store()
    with world.registry.unit_of_work() as uow:
        assert uow.standings.get_many(["acme", "globex"]).keys() == {"acme", "globex"}


def test_an_acknowledgement_counts_when_it_is_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The edge opens on what the registry holds: what a process alone knows would be lost with it."""
    world.do(Move.SUSPEND, "acme")
    world.settle()
    real = world.pusher._standings.put
    monkeypatch.setattr(world.pusher._standings, "put", lambda rows: (_ for _ in ()).throw(UNREACHABLE))
    operation = world.do(Move.RESUME, "acme")
    world.settle()
    assert "plane_acknowledged" not in world.steps(operation)
    monkeypatch.setattr(world.pusher._standings, "put", real)
    world.pusher.store()
    world.settle()
    assert world.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


@pytest.mark.parametrize("jump", [-3 * 86_400, 3 * 86_400])
def test_a_clock_that_jumps_changes_nothing(jump: int, world: World) -> None:
    """Neither leases nor the times at which planes are asked rest on a clock that can be set."""
    before = world.entry("acme").pace
    world.clock.advance(jump)
    assert world.pusher.exchange(world.entry("acme"))
    assert world.entry("acme").pace.asked_at - before.asked_at < 60
    left = world.plane("acme").standing().lease_seconds_left
    assert left is not None
    assert left > 50
    assert ringing(world) == {}
    world.do(Move.SUSPEND, "acme")
    world.settle()
    assert world.plane("acme").standing().state is PlaneState.SUSPENDED


class Hanging:
    """A plane that accepts a connection and says nothing until the channel gives up."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0

    def standing(self) -> PlaneStanding:
        self.asked += 1
        self.go.wait(30)
        raise UNREACHABLE


@pytest.fixture
def crowd() -> Iterator[tuple[World, list[Hanging], threading.Event]]:
    """Twenty planes that answer and ten that hang, with the loop running."""
    world = World()
    names = [f"t{number:02}" for number in range(30)]
    world.tenants(*names)
    for name in names:
        world.attach(name)
    hanging = [Hanging() for _ in range(10)]
    for name, plane in zip(names[20:], hanging, strict=True):
        world.planes[world.url(name)] = plane
    world.start()
    world.pusher._threads = {Lane.URGENT: 2, Lane.STEADY: 12, Lane.SUSPECT: 2}
    stop = threading.Event()
    loop = threading.Thread(target=world.pusher.run, args=(stop,))
    loop.start()
    yield world, hanging, stop
    stop.set()
    for plane in hanging:
        plane.go.set()
    loop.join(10)


def test_planes_that_hang_delay_nobody_else(crowd: tuple[World, list[Hanging], threading.Event]) -> None:
    world, hanging, _ = crowd
    deadline = time.monotonic() + 20

    def asked() -> tuple[int, int]:
        """How many that answer have answered, and how many that hang are being asked."""
        answered = sum(entry.pace.failures == 0 and entry.pace.asked_at > 0 for entry in world.roster.all())
        return answered, sum(plane.asked > 0 for plane in hanging)

    while asked() != (20, 10):  # those that hang do so for 30 seconds
        assert time.monotonic() < deadline, asked()
        time.sleep(0.01)
    began = time.monotonic()
    world.do(Move.SUSPEND, "t00")
    while world.plane("t00").standing().state is not PlaneState.SUSPENDED:
        assert time.monotonic() - began < 10
        time.sleep(0.01)


def configure(world: World, **values: object) -> int:
    """The new version that an operator makes of Acme's configuration."""
    made = Tenants(world.registry.unit_of_work, world.clock)
    with world.registry.unit_of_work() as uow:
        row = uow.tenants.get("acme")
    assert row is not None
    version = made.configure("acme", values, expected=row.config_version, actor="alice").version
    world.switch.refresh()
    return version


def test_a_configuration_reaches_its_plane_with_the_next_lease(world: World) -> None:
    plane = world.plane("acme")
    assert plane.standing().config_version == 1, "the first came with the first directive"
    version = configure(world, top_k=9)
    world.pusher.exchange(world.entry("acme"))
    assert plane.standing().config_version == version
    with plane.store.unit_of_work() as uow:
        assert uow.configs.latest().values["top_k"] == 9
    assert world.plane("globex").standing().config_version == 1
    assert ringing(world) == {}


def test_it_is_sent_only_to_a_plane_that_has_an_older_one(world: World) -> None:
    plane, sent = world.plane("acme"), list[str]()
    real = plane.put
    plane.put = lambda text: sent.append(text) or real(text)
    world.pusher.exchange(world.entry("acme"))
    configure(world, top_k=9)
    world.pusher.exchange(world.entry("acme"))
    world.pusher.exchange(world.entry("acme"))
    pinned = PinnedKeys((KEY.public,))
    told = [open_directive(text, pinned, "acme")[0].config for text in sent]
    assert [config and config.version for config in told] == [None, 2, None]


def test_a_plane_that_does_not_take_it_is_named_and_works_on(world: World) -> None:
    configure(world, top_k=9)
    lie(world, lambda answer: replace(answer, config_version=1))
    assert world.pusher.exchange(world.entry("acme"))
    assert ringing(world)["acme"] == ("config_not_taken",)
    assert world.entry("acme").acknowledged
    world.planes[world.url("acme")] = world.plane("acme")._plane
    world.pusher.exchange(world.entry("acme"))
    assert ringing(world) == {}


def test_without_the_database_a_lease_is_renewed_and_the_configuration_waits(world: World) -> None:
    configure(world, top_k=9)
    working = world.pusher._configs

    def away(tenant: object) -> Never:
        raise Unavailable("database_unavailable", "The database does not answer.", "Start it.")

    world.pusher._configs = away
    assert world.pusher.exchange(world.entry("acme"))
    assert world.plane("acme").standing().config_version == 1
    world.pusher._configs = working
    assert world.pusher.exchange(world.entry("acme"))
    assert world.plane("acme").standing().config_version == 2


def test_what_changes_the_state_brings_no_configuration(world: World) -> None:
    plane, sent = world.plane("acme"), list[str]()
    real = plane.put
    plane.put = lambda text: sent.append(text) or real(text)
    configure(world, top_k=9)
    world.do(Move.SUSPEND, "acme")
    world.settle()
    first = open_directive(sent[0], PinnedKeys((KEY.public,)), "acme")[0]
    assert (first.state, first.config) == (PlaneState.SUSPENDED, None)
    world.pusher.exchange(world.entry("acme"))
    assert plane.standing().config_version == 2


def test_a_configuration_that_is_too_long_keeps_no_plane_from_its_lease(world: World) -> None:
    configure(world, mime_allowlist=["text/plain"] * 2000)
    assert world.pusher.exchange(world.entry("acme"))
    assert world.plane("acme").standing().config_version == 1
    assert ringing(world)["acme"] == ("config_not_taken",)


def test_an_alarm_about_a_configuration_keeps_no_other_ringing(world: World) -> None:
    honest = world.plane("acme")
    lie(world, lambda answer: replace(answer, tenant_id="globex"))
    world.pusher.exchange(world.entry("acme"))
    world.planes[world.url("acme")] = honest
    configure(world, top_k=9)
    lie(world, lambda answer: replace(answer, config_version=1))
    world.pusher.exchange(world.entry("acme"))
    assert ringing(world)["acme"] == ("config_not_taken",)
