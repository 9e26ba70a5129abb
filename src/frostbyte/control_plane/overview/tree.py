"""An operation as a tree of its steps, each with how it stands, how long it took and what it made. Pure.

What an operation does is told by three books: its own steps, in order; the plan of its run, where hosts are made or
taken away for it; and the audit, which says of each thing that it was made, taken over, changed, kept or removed, and
under which id the cloud has it. The audit is asked and not the journal of today, so an operation of last year shows
what it made then, whatever has become of it since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from frostbyte.control_plane.history.operations import CALLED
from frostbyte.control_plane.killswitch.steps import OURS, SEQUENCES
from frostbyte.control_plane.killswitch.steps import Step as Switched
from frostbyte.control_plane.overview.words import UNDO, said
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, RunRow
from frostbyte.control_plane.provisioning.notes import KEPT
from frostbyte.control_plane.provisioning.plan import Standing, money
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus, StepRow
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.records import EventRow

SHOWN: Final = ("type", "location", "address", "size_gb", "cidr", "values")
"""Facts of a thing that people look for; nothing else of what a cloud tells is shown."""
DID: Final[Mapping[EventType, str]] = {
    EventType.RESOURCE_CREATED: "made",
    EventType.RESOURCE_ADOPTED: "taken over",
    EventType.RESOURCE_CHANGED: "changed",
    EventType.RESOURCE_KEPT: "kept",
    EventType.RESOURCE_REMOVED: "removed",
}
"""Events that tell what became of a thing, and the word for it."""
HOLDERS: Final = (Switched.HOSTS_READY, Switched.RESOURCES_GONE, "hosts_changed", "hosts_mended")
"""Steps of an operation that are done when its run has ended: the run's own steps hang on them."""
PLAN: Final = "plan"
HOST: Final = "host."
"""Before a host's name: the key of its branch."""


class State(StrEnum):
    """How a step stands."""

    EXPECTED = "expected"
    """Not begun."""
    WAITING = "waiting"
    """It was tried and waits for something that is away, such as a plane; `code` says for what."""
    RUNNING = "running"
    DONE = "done"
    STOOD = "stood"
    """It was so before, and nothing had to be done."""
    FAILED = "failed"
    TAKING = "taking"
    """What it made is being taken away."""
    TAKEN = "taken"
    KEPT = "kept"
    """Left where it is, with its data."""
    SKIPPED = "skipped"
    """The operation ended before it came to this."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A thing at a cloud that a step has made, or what else became of it."""

    did: str
    """`made`, `taken over`, `changed`, `kept`, `removed`: the last of it."""
    kind: str
    name: str
    cloud_id: str
    """'' where the cloud gave none."""
    facts: dict[str, str]
    """Of `SHOWN`, as far as the journal still has them."""
    monthly: str
    """What it costs a month by the run's plan, net: `17.99 EUR`; '' for nothing or unknown."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One step, or a host as the branch of its steps."""

    key: str
    """Unique in its tree and the same whenever it is asked for."""
    words: str
    state: State
    code: str = ""
    """Of the error of the last attempt; '' for none."""
    at: datetime | None = None
    """When it came to its state; None before it begins."""
    after_seconds: float | None = None
    """From the operation's beginning until it had ended; None before."""
    took_seconds: float | None = None
    """From its own beginning; None where that was not noted."""
    attempts: int = 0
    """Calls that were begun, where they are counted."""
    made: tuple[Made, ...] = ()
    nodes: tuple[Node, ...] = ()


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """An operation with all of its steps."""

    operation: OperationRow
    called: str
    """`Suspending it`: as a sentence begins."""
    nodes: tuple[Node, ...]
    done: int
    """Steps that came to an end, whichever."""
    of: int
    """Steps that are known."""
    seconds: float
    """From its beginning to its end, or to now."""
    edge_seconds: float | None
    """Of a suspension: until the edge refused the tenant's requests; of a resumption: until it let them through."""
    plane_seconds: float | None
    """Until the plane had acknowledged it."""


@dataclass(frozen=True, kw_only=True)
class Books:
    """What is known of an operation.

    Attributes:
        steps: all of its, in order.
        expected: names of what it does by itself, in order, as far as that is known.
        run: that makes or takes away hosts for it; None for none.
        entries: the owner's journal, for facts of things.
        events: audit events of the run's things, oldest first.
    """

    operation: OperationRow
    steps: Sequence[StepRow]
    expected: Sequence[str] = ()
    run: RunRow | None = None
    entries: Sequence[EntryRow] = ()
    events: Sequence[EventRow] = ()


def tree(books: Books, now: datetime) -> Tree:
    """The tree. `now`: for how long one has gone on that has not ended."""
    return _Grown(books, now).tree()


def expected_of(kind: OperationKind, *, managed: bool) -> tuple[str, ...]:
    """What an operation that moves its tenant does, in order; () for a duty.

    Args:
        managed: whether the tenant's hosts are made and taken away by us.
    """
    return tuple(step for step in SEQUENCES.get(kind, ()) if managed or step not in OURS)


@dataclass
class _Past:
    """What was noted of one name."""

    last: StepRow | None = None
    began: datetime | None = None
    undo: StepRow | None = None
    undo_began: datetime | None = None

    def take(self, row: StepRow, *, undo: bool) -> None:
        running = row.status is OperationStatus.RUNNING
        if undo:
            self.undo, self.undo_began = row, row.at if running else self.undo_began
        else:
            # One that is made again after it was taken away stands by what came last.
            self.last, self.began, self.undo = row, row.at if running else self.began, None


@dataclass
class _Grown:
    books: Books
    now: datetime
    past: dict[str, _Past] = field(default_factory=dict)

    def tree(self) -> Tree:
        operation = self.books.operation
        for row in self.books.steps:
            name = row.step.removeprefix(UNDO)
            self.past.setdefault(name, _Past()).take(row, undo=row.step.startswith(UNDO))
        nodes = tuple(self._own())
        leaves = list(_leaves(nodes))
        ended = operation.ended_at or self.now
        acknowledged = self._after(Switched.PLANE_ACKNOWLEDGED)
        return Tree(
            operation=operation,
            called=CALLED[operation.kind],
            nodes=nodes,
            done=sum(node.state not in _OPEN for node in leaves),
            of=len(leaves),
            seconds=max((ended - operation.started_at).total_seconds(), 0.0),
            edge_seconds=self._after(_EDGE[operation.kind]) if operation.kind in _EDGE else None,
            plane_seconds=acknowledged if operation.kind in _EDGE else None,
        )

    # -- what the operation does by itself

    def _own(self) -> Iterator[Node]:
        hosts = self._hosts()
        inside = {node.key for node in _leaves(hosts)}
        names = dict.fromkeys((*self.books.expected, *(name for name in self.past if name not in inside)))
        before: datetime | None = self.books.operation.started_at
        hung = False
        for name in names:
            held = hosts if name in HOLDERS and not hung else ()
            hung = hung or bool(held)
            node = self._step(name, said(name), nodes=held, since=before)
            before = node.at if node.state in _ENDED else before
            yield node
        if hosts and not hung:
            state, at = _together(hosts)
            yield Node(key="hosts", words="its hosts", state=state, at=at, nodes=hosts)

    def _step(self, name: str, words: str, *, nodes: tuple[Node, ...] = (), since: datetime | None = None) -> Node:
        past = self.past.get(name, _Past())
        state, row = self._state(name, past)
        if nodes and state in (State.EXPECTED, State.WAITING) and any(one.state is not State.EXPECTED for one in nodes):
            state = State.RUNNING if self.books.operation.ended_at is None else State.FAILED
        began = past.undo_began if row is past.undo else past.began
        ended = row.at if row is not None and state in _ENDED else None
        start = began or (since if name in SEQUENCES_NAMES else None)
        return Node(
            key=name,
            words=said(UNDO + name) if state in (State.TAKING, State.TAKEN) and UNDO + name in _KNOWN else words,
            state=state,
            code=row.code if row is not None and row.code != KEPT else "",
            at=row.at if row is not None else None,
            after_seconds=self._since(ended),
            took_seconds=(ended - start).total_seconds() if ended and start else None,
            nodes=nodes,
        )

    def _state(self, name: str, past: _Past) -> tuple[State, StepRow | None]:
        over = self.books.operation.ended_at is not None
        if past.undo is not None:
            row = past.undo
            kept = State.KEPT if row.code == KEPT else State.TAKEN
            ends = {OperationStatus.SUCCEEDED: kept, OperationStatus.FAILED: State.FAILED}
            return ends.get(row.status, State.TAKING), row
        row_ = past.last
        if row_ is None:
            if name == Switched.REGISTRY_COMMITTED:  # it was there before the operation was
                return State.DONE, None
            return State.SKIPPED if over else State.EXPECTED, None
        if row_.status is OperationStatus.FAILED and not over and name in SEQUENCES_NAMES:
            return State.WAITING, row_
        if row_.status is OperationStatus.RUNNING and over:
            return State.SKIPPED, row_
        return _OF_STATUS[row_.status], row_

    def _after(self, name: str) -> float | None:
        past = self.past.get(name)
        good = past is not None and past.last is not None and past.last.status is OperationStatus.SUCCEEDED
        return self._since(past.last.at) if past is not None and past.last is not None and good else None

    def _since(self, at: datetime | None) -> float | None:
        return None if at is None else max((at - self.books.operation.started_at).total_seconds(), 0.0)

    # -- what is made or taken away for it

    def _hosts(self) -> tuple[Node, ...]:
        """A branch for each host, in the order in which they come up in the plan; what is of no host before them."""
        run = self.books.run
        if run is None:
            return ()
        planned: dict[str, Mapping[str, Any]] = {str(step["key"]): step for step in run.plan.get("steps", ())}
        known = planned.keys() | {entry.key for entry in self.books.entries}
        late = [name for name in self.past if name not in planned and (name in known or name.startswith("stray."))]
        branches: dict[str, list[Node]] = {"": []}
        if PLAN in self.past or planned:
            branches[""].append(self._step(PLAN, said(PLAN)))
        standings = run.plan.get("facts", {}).get("standings", {})
        down = run.direction is Direction.DOWN
        made = self._made(planned)
        for key in (*planned, *late):
            stood = standings.get(key) == Standing.DONE
            node = self._planned(key, stood=stood, down=down, made=tuple(made.get(key, ())))
            branches.setdefault(_host(key, planned), []).append(node)
        shared = branches.pop("")
        for host, nodes in branches.items():
            state, at = _together(nodes)
            shared.append(Node(key=HOST + host, words=host, state=state, at=at, nodes=tuple(nodes)))
        return tuple(shared)

    def _planned(self, key: str, *, stood: bool, down: bool, made: tuple[Made, ...]) -> Node:
        action = key.partition(".")[0]
        node = self._step(key, said(action))
        untouched = key not in self.past
        state = State.STOOD if stood and untouched else node.state
        going = down or state in (State.TAKING, State.TAKEN)
        words = said(UNDO + action) if going else said(action)
        entry = next((one for one in self.books.entries if one.key == key), None)
        ours = entry is not None and self.books.run is not None and entry.run_id == self.books.run.run_id
        attempts = entry.attempts if entry is not None and ours else 0
        return msgspec.structs.replace(node, words=words, state=state, made=made, attempts=attempts)

    def _made(self, planned: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Made]]:
        """What became of things, by the key of the step: of each id the last word."""
        entries = {entry.key: entry for entry in self.books.entries}
        found: dict[str, dict[str, Made]] = {}
        for event in self.books.events:
            key, cloud_id = event.resource_id, str(event.details.get("cloud_id", ""))
            entry, step = entries.get(key), planned.get(key, {})
            same = entry is not None and entry.resource_id == cloud_id
            facts = {**entry.spec, **entry.facts} if entry is not None and same else {}
            found.setdefault(key, {})[cloud_id] = Made(
                did=DID[EventType(event.type)],
                kind=event.resource_type,
                name=str(step.get("name") or (entry.name if entry else "")),
                cloud_id=cloud_id,
                facts={name: _word(facts[name]) for name in SHOWN if facts.get(name)},
                monthly="" if event.type == EventType.RESOURCE_REMOVED else self._price(step),
            )
        return {key: list(each.values()) for key, each in found.items()}

    def _price(self, step: Mapping[str, Any]) -> str:
        amount = Decimal(step.get("monthly", 0))
        currency = self.books.run.plan.get("currency", "") if self.books.run is not None else ""
        return f"{money(amount)} {currency}" if amount else ""


SEQUENCES_NAMES: Final = frozenset(step for steps in SEQUENCES.values() for step in steps)
_KNOWN: Final = frozenset({"undo.plane_replaced", "undo.plane_stopped", "undo.intake_closed"})
_EDGE: Final[Mapping[OperationKind, str]] = {
    OperationKind.SUSPEND: Switched.EDGE_CLOSED,
    OperationKind.RESUME: Switched.EDGE_OPENED,
}
_OPEN: Final = frozenset({State.EXPECTED, State.WAITING, State.RUNNING, State.TAKING})
_ENDED: Final = frozenset({State.DONE, State.FAILED, State.TAKEN, State.KEPT})
_OF_STATUS: Final = {
    OperationStatus.RUNNING: State.RUNNING,
    OperationStatus.SUCCEEDED: State.DONE,
    OperationStatus.FAILED: State.FAILED,
}
_WORST: Final = (
    *(State.FAILED, State.TAKING, State.RUNNING, State.WAITING),
    *(State.KEPT, State.TAKEN, State.DONE, State.STOOD, State.SKIPPED, State.EXPECTED),
)


def _together(nodes: Sequence[Node]) -> tuple[State, datetime | None]:
    """How a branch stands: as what is worst in it, and under way while some is done and some not."""
    states = {node.state for node in nodes}
    at = max((node.at for node in nodes if node.at), default=None)
    worst = next((state for state in _WORST if state in states), State.EXPECTED)
    begun = states & {State.DONE, State.TAKEN, State.KEPT}
    return (State.RUNNING if begun and State.EXPECTED in states and worst is not State.FAILED else worst), at


def _leaves(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        if node.nodes:
            yield from _leaves(node.nodes)
        else:
            yield node


def _host(key: str, planned: Mapping[str, Any]) -> str:
    """Which host a step belongs to; '' for what is the tenant's as a whole."""
    action, _, host = key.partition(".")
    return "" if action in ("stray", "record") else host


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
