"""Whatever several operators do, in whatever order: both stores answer alike, states stay legal, networks unique."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.offices import Office
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.registry.records import OperationRow, OperationStatus, TenantRow
from frostbyte.control_plane.registry.states import MOVES, Move, TenantState
from frostbyte.kernel.errors import FrostbyteError

_numbers = itertools.count(1)
NAMES = ("a", "b", "c")
ACTORS = ("alice", "bob", "carol")

Act = tuple[str, dict[str, Any]]

NAMED = st.sampled_from(NAMES)


def acts_of(kind: str, **values: list[Any]) -> st.SearchStrategy[Act]:
    """Acts of one kind on any of the tenants; what stands more than once is chosen more often."""
    given = {name: st.sampled_from(choices) for name, choices in values.items()}
    return st.tuples(st.just(kind), st.fixed_dictionaries({"name": NAMED, **given}))


ACTS: st.SearchStrategy[Act] = st.one_of(
    acts_of("create", octet=[None, 1, 2]),
    acts_of("attach", behind=[None, 0, 1]),
    acts_of("begin", move=list(Move), behind=[None, 0, 0, 0, 1], typed=[True, True, True, False]),
    acts_of("end", code=["", "", "plane_unreachable"]),
    acts_of("end", code=[""]),
    acts_of("configure", behind=[0, 0, 1]),
)


class Side:
    """One store with the acts of operators upon it."""

    def __init__(self, store: Any, prefix: str) -> None:
        self.office = Office(store, prepare=False)
        self.prefix = prefix
        self.office.projects.create(f"p{prefix}", actor="alice")

    def tenant(self, name: str) -> TenantRow | None:
        with self.office.store.unit_of_work() as uow:
            return uow.tenants.get(self.prefix + name)

    def operation(self, name: str) -> OperationRow | None:
        with self.office.store.unit_of_work() as uow:
            return next(iter(uow.operations.page(tenant_id=self.prefix + name, limit=1)), None)

    def act(self, kind: str, actor: str, given: dict[str, Any]) -> str:
        """What came of it: `done`, or the code of the error."""
        tenant_id, row = self.prefix + given["name"], self.tenant(given["name"])
        behind = given.get("behind")
        expected = None if behind is None or row is None else row.version - behind
        operation = self.operation(given["name"])
        acts: dict[str, Callable[[], object]] = {
            "create": lambda: self.office.tenants.create(
                tenant_id, f"p{self.prefix}", actor=actor, octet=given["octet"]
            ),
            "attach": lambda: self.office.attach(tenant_id, actor=actor, expected=expected),
            "begin": lambda: self.office.begin(
                given["move"],
                tenant_id,
                actor=actor,
                expected=expected,
                confirmation=tenant_id if given["typed"] else "",
            ),
            "end": lambda: operation and self.office.operations.end(operation.operation_id, code=given["code"]),
            "configure": lambda: self.office.tenants.configure(
                tenant_id, {"top_k": 3}, expected=(row.config_version if row else 1) - behind, actor=actor
            ),
        }
        try:
            acts[kind]()
        except FrostbyteError as error:
            return error.code
        return "done"

    def rows(self) -> list[tuple[Any, ...]]:
        """What can be compared between two stores."""
        rows = [row for name in NAMES if (row := self.tenant(name)) is not None]
        return [
            (row.octet, row.state, row.failed, row.version, row.config_version, row.standing_version) for row in rows
        ]

    def check(self, before: dict[str, TenantRow]) -> dict[str, TenantRow]:
        """Everything that must hold after every act."""
        legal = {(key[:2], after) for key, after in MOVES.items()}
        now = {name: row for name in NAMES if (row := self.tenant(name)) is not None}
        octets = Counter(row.octet for row in now.values() if row.octet is not None)
        assert all(count == 1 for count in octets.values())
        with self.office.store.unit_of_work() as uow:
            events = Counter(event.tenant_id for event in uow.audit.unsequenced(100_000))
            running = Counter(row.tenant_id for row in uow.operations.running())
        for name, row in now.items():
            assert events[row.tenant_id] == row.version, "one event for each change"
            assert running[row.tenant_id] <= 1
            if row.state in (TenantState.PROVISIONING, TenantState.DEPROVISIONING):
                assert running[row.tenant_id] == 1
            old = before.get(name)
            if old is not None and (old.state, old.failed) != (row.state, row.failed):
                assert ((old.state, old.failed), (row.state, row.failed)) in legal
            assert (row.octet is None) is (row.state is TenantState.DEPROVISIONED)
            operation = self.operation(name)
            assert operation is None or (operation.status is OperationStatus.RUNNING) is (operation.ended_at is None)
        assert set(before) <= set(now), "a tenant is never removed"
        return now


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.sampled_from(ACTORS), ACTS), min_size=8, max_size=40))
def test_both_stores_answer_alike_and_nothing_illegal_ever_stands(
    postgres: PostgresRegistry, acts: list[tuple[str, Act]]
) -> None:
    prefix = f"x{next(_numbers)}"
    sides = [Side(MemoryRegistry(), prefix), Side(postgres, prefix)]
    stood: list[dict[str, TenantRow]] = [{}, {}]
    for actor, (kind, given_values) in acts:
        codes = [side.act(kind, actor, given_values) for side in sides]
        assert codes[0] == codes[1]
        stood = [side.check(before) for side, before in zip(sides, stood, strict=True)]
        assert sides[0].rows() == sides[1].rows()


def test_the_acts_do_reach_the_end_of_a_life(postgres: PostgresRegistry) -> None:
    """The property above would hold of acts that are all refused, too."""
    side = Side(postgres, f"x{next(_numbers)}")
    life: list[tuple[str, dict[str, Any]]] = [
        ("create", {"octet": None}),
        ("attach", {"behind": 0}),
        ("end", {"code": ""}),
        ("begin", {"move": Move.SUSPEND, "behind": 0, "typed": True}),
        ("begin", {"move": Move.DEPROVISION, "behind": 0, "typed": True}),
        ("end", {"code": ""}),
    ]
    assert [side.act(kind, "alice", {"name": "a"} | values) for kind, values in life] == ["done"] * 6
    row = side.tenant("a")
    assert row is not None
    assert row.state is TenantState.DEPROVISIONED
    with pytest.raises(AssertionError):
        side.check({"missing": row})
