"""A world in which everything can go wrong: scripted doings, a journal that a process dies at, and what must hold."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from control.registry_rows import operation, prepared
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Context, Outcome, Plan, Step
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.ids import new_id

OWNER = Owner(environment="production", project_id="north", tenant_id="acme")
NEIGHBOUR = Owner(environment="production", project_id="north", tenant_id="other")


class Killed(BaseException):
    """The process is no more."""


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Resource:
    resource_id: str
    kind: Kind
    name: str
    labels: dict[str, str]


@dataclass
class Process:
    """One life of a provisioner: it dies at its n-th moment, and every thread of it with it."""

    dies_at: int = 0
    moments: int = 0
    dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def moment(self) -> None:
        with self.lock:
            self.moments += 1
            self.dead = self.dead or self.moments == self.dies_at
            if self.dead:
                raise Killed


class World:
    """A cloud. `script` answers each call: an error to raise instead of doing it, or after having done it."""

    def __init__(self) -> None:
        self.things: dict[str, Resource] = {}
        self.made: Counter[str] = Counter()
        self.calls: list[tuple[str, str]] = []
        self.marks: set[str] = set()
        """Steps without a resource that are done."""
        self.late: list[Resource] = []
        """What a lost reply made, and that shows only when everything is listed."""
        self.process = Process()
        self.script: Callable[[str, str, int], tuple[str, FrostbyteError] | None] = lambda phase, key, nth: None
        self._numbers = itertools.count(1)
        self._nth: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def answer(self, phase: str, key: str, effect: Callable[[], Any]) -> Any:
        self.process.moment()
        with self._lock:
            self.calls.append((phase, key))
            self._nth[phase, key] += 1
            scripted = self.script(phase, key, self._nth[phase, key])
            if scripted and scripted[0] == "before":
                raise scripted[1]
            result = effect()
        self.process.moment()
        if scripted:
            raise scripted[1]
        return result

    def create(self, kind: Kind, name: str, labels: Mapping[str, str]) -> Resource:
        if name in self.things:
            raise CloudError("cloud_name_taken", "The name is taken.")
        self.made[name] += 1
        self.things[name] = Resource(str(next(self._numbers)), kind, name, dict(labels))
        return self.things[name]

    def owned(self, owner: Owner) -> list[Resource]:
        return [thing for thing in self.things.values() if owner.owns(thing.labels)]


class Doing:
    """Makes a resource of the step's kind, or a mark."""

    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, step: Step, context: Context) -> Outcome | None:
        return self.world.answer("find", step.key, lambda: self._find(step, context))  # type: ignore[no-any-return]

    def _find(self, step: Step, context: Context) -> Outcome | None:
        if step.kind is None:
            return None
        thing = self.world.things.get(step.name)
        if thing is None:
            return None
        if not context.owner.owns(thing.labels):
            raise Conflict("resource_not_ours", "It is somebody else's.")
        return Outcome(resource_id=thing.resource_id, facts={"size": step.spec.get("size", 1)}, adopted=True)

    def do(self, step: Step, context: Context) -> Outcome:
        for key in step.needs:
            context.outcome(key)
        return self.world.answer("do", step.key, lambda: self._do(step, context))  # type: ignore[no-any-return]

    def _do(self, step: Step, context: Context) -> Outcome:
        if step.kind is None:
            self.world.marks.add(step.key)
            return Outcome(facts={"done": True})
        thing = self.world.create(step.kind, step.name, context.owner.labels(context.run_id, step.key))
        return Outcome(resource_id=thing.resource_id, facts={"size": step.spec.get("size", 1)})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        self.world.answer("verify", step.key, lambda: self._verify(step, outcome))

    def _verify(self, step: Step, outcome: Outcome) -> None:
        if step.kind is None:
            good = step.key in self.world.marks
        else:
            thing = self.world.things.get(step.name)
            good = thing is not None and thing.resource_id == outcome.resource_id
        if not good:
            raise Conflict("not_there", "It is not there.")

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        self.world.answer("undo", step.key, lambda: self._undo(step, context))

    def _undo(self, step: Step, context: Context) -> None:
        self.world.marks.discard(step.key)
        thing = self.world.things.get(step.name)
        if thing is not None and context.owner.owns(thing.labels):
            del self.world.things[step.name]


def fails(phase: str, key: str, code: str, *, times: int = 1, when: str = "before") -> Callable[..., Any]:
    """A script: the first calls fail."""

    def script(at: str, of: str, nth: int) -> tuple[str, FrostbyteError] | None:
        return (when, CloudError(code, "It does not work.")) if (at, of) == (phase, key) and nth <= times else None

    return script


def plan(owner: Owner = OWNER, **sizes: int) -> Plan:
    """A small tenant: a network, two servers, a volume, and what makes no resource."""

    def step(key: str, action: Action, *needs: str) -> Step:
        part = key.replace(".", "-")
        spec = {"size": sizes.get(key.partition(".")[0], 1)}
        return Step(key=key, action=action, name=owner.name(part), needs=needs, spec=spec, monthly=Decimal("4.51"))

    return Plan(
        owner=owner,
        steps=(
            step("network", Action.NETWORK),
            step("secrets", Action.SECRETS),
            step("server.gateway", Action.SERVER, "network"),
            step("server.db", Action.SERVER, "network"),
            step("volume", Action.VOLUME, "server.db"),
            step("attach", Action.ATTACH, "volume", "server.db"),
            step("files.db", Action.FILES, "attach", "secrets"),
            step("record", Action.RECORD, "server.gateway"),
            step("endpoints", Action.ENDPOINTS, "record", "files.db"),
        ),
    )


class Workshop:
    def __init__(self, world: World, made: Plan | Callable[[Mapping[str, Any]], Plan]) -> None:
        self.world, self._plan = world, made
        self.doings: dict[Action, Any] = {action: Doing(world) for action in Action}
        self.plans = 0

    def plan(self, owner: Owner, request: Mapping[str, Any]) -> Plan:
        self.plans += 1
        result = self.world.answer("plan", "", lambda: self._plan if isinstance(self._plan, Plan) else None)
        return result or self._plan(request)  # type: ignore[operator]

    def leftovers(self, owner: Owner) -> Sequence[Found]:
        for thing in self.world.late:
            self.world.things[thing.name] = thing
        self.world.late.clear()
        things = self.world.answer("list", "", lambda: self.world.owned(owner))
        return [
            Found(kind=thing.kind, resource_id=thing.resource_id, name=thing.name, labels=thing.labels)
            for thing in things
        ]


class Store:
    """A registry whose commits are moments of a process."""

    def __init__(self, inner: Any, world: World) -> None:
        self.inner, self.world = inner, world

    @contextmanager
    def unit_of_work(self) -> Iterator[Any]:
        process = self.world.process
        with self.inner.unit_of_work() as uow:
            commit = uow.commit

            def moments() -> None:
                process.moment()
                commit()
                process.moment()

            uow.commit = moments  # type: ignore[method-assign]
            yield uow


class House:
    """Everything together, for one tenant; `live` is one life of a provisioner."""

    def __init__(
        self,
        made: Plan | Callable[[Mapping[str, Any]], Plan] | None = None,
        *,
        threads: int = 4,
        registry: Any = None,
    ) -> None:
        self.world, self.clock = World(), Clock()
        self.registry: Any = registry or MemoryRegistry()
        self.store = Store(self.registry, self.world)
        self.workshop = Workshop(self.world, made or plan())
        self.threads = threads
        self.foreign = self.world.create(Kind.NETWORK, "fb-other-network", NEIGHBOUR.labels(new_id(), "network"))
        prepared(self.registry)

    def begin(
        self, direction: Direction = Direction.UP, *, serving: bool = False, operating: bool = True, **request: Any
    ) -> UUID:
        """A run with its operation. `serving`: an earlier provisioning of the tenant had succeeded."""
        kind = OperationKind.DEPROVISION if direction is Direction.DOWN else OperationKind.PROVISION
        acting = operation(kind=kind)
        with self.registry.unit_of_work() as uow:
            for old in uow.operations.running("acme"):
                uow.operations.end(_ended(old, "x"))
            if serving:
                before = operation(kind=OperationKind.PROVISION)
                uow.operations.add(before)
                uow.operations.end(_ended(before, ""))
            if operating:
                uow.operations.add(acting)
            runs = uow.journal.runs(OWNER)
            uow.journal.begin(
                RunRow(
                    run_id=acting.operation_id,
                    environment="production",
                    project_id="north",
                    tenant_id="acme",
                    direction=direction,
                    state=RunState.RUNNING,
                    request=request,
                    plan={},
                    fence=max((run.fence for run in runs), default=0) + 1,
                    holder="",
                    leased_until=None,
                    started_at=self.clock.now(),
                    ended_at=None,
                    code="",
                )
            )
            uow.commit()
        return acting.operation_id

    def engine(self, holder: str = "control", **values: Any) -> Engine:
        pace = Pace(threads=self.threads, late_seconds=0.0, pause=lambda event, seconds: None)
        return Engine(
            self.store.unit_of_work, self.clock, lambda owner: self.workshop, holder=holder, pace=pace, **values
        )

    def live(self, run_id: UUID, *, dies_at: int = 0) -> RunRow | None:
        """One life. Raises Killed."""
        self.world.process = Process(dies_at)
        return self.engine().carry(run_id, threading.Event())

    def to_the_end(self, run_id: UUID) -> RunRow:
        for _ in range(5):
            ended = self.live(run_id)
            if ended is not None:
                return ended
        raise AssertionError("the run does not end")

    def run(self, run_id: UUID) -> RunRow:
        with self.registry.unit_of_work() as uow:
            row = uow.journal.run(run_id)
        assert row is not None
        return row

    def entries(self, owner: Owner = OWNER) -> dict[str, EntryRow]:
        with self.registry.unit_of_work() as uow:
            return {row.key: row for row in uow.journal.entries(owner)}

    def events(self) -> list[tuple[str, str]]:
        with self.registry.unit_of_work() as uow:
            return [(event.type, event.resource_id) for event in uow.audit.unsequenced(10_000)]

    def told(self, run_id: UUID) -> list[tuple[str, str, str]]:
        with self.registry.unit_of_work() as uow:
            return [(row.step, row.status.value, row.code) for row in uow.operations.steps(run_id)]

    def nothing_is_unowned(self) -> None:
        """Whatever exists has an entry that says so, whoever died when; nothing was made twice at once."""
        names = {row.name for row in self.entries().values() if row.state is not EntryState.GONE}
        assert {thing.name for thing in self.world.owned(OWNER)} <= names
        assert self.world.things["fb-other-network"] is self.foreign

    def is_up(self) -> None:
        entries = self.entries()
        names = {row.name for row in entries.values() if row.kind}
        assert {thing.name for thing in self.world.owned(OWNER)} == names
        assert all(row.state is EntryState.DONE for row in entries.values())
        assert all(self.world.things[row.name].resource_id == row.resource_id for row in entries.values() if row.kind)
        self.nothing_is_unowned()

    def is_clean(self) -> None:
        assert self.world.owned(OWNER) == []
        assert {row.state for row in self.entries().values()} <= {EntryState.GONE}
        assert self.world.marks == set()
        self.nothing_is_unowned()


def _ended(row: OperationRow, code: str) -> OperationRow:
    status = OperationStatus.FAILED if code else OperationStatus.SUCCEEDED
    return replace(row, status=status, code=code, ended_at=row.started_at)
