"""What every journal of provisioning promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

import pytest
from msgspec.structs import replace

from control.registry_rows import NOW, later, prepared
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id

OWNER = Owner(environment="production", project_id="north", tenant_id="acme")
BASE = Owner(environment="production", project_id="north")
E = EntryState


class Registry(Protocol):
    def unit_of_work(self) -> AbstractContextManager[ProvisioningUnitOfWork]: ...


def write(store: Registry, work: Callable[[ProvisioningUnitOfWork], Any]) -> Any:
    with store.unit_of_work() as uow:
        result = work(uow)
        uow.commit()
    return result


def refused(store: Registry, work: Callable[[ProvisioningUnitOfWork], Any]) -> str:
    with pytest.raises(FrostbyteError) as caught:
        write(store, work)
    return caught.value.code


def run_row(owner: Owner = OWNER, **values: Any) -> RunRow:
    defaults: dict[str, Any] = {
        "run_id": new_id(),
        "environment": owner.environment,
        "project_id": owner.project_id,
        "tenant_id": owner.tenant_id,
        "direction": Direction.UP,
        "state": RunState.RUNNING,
        "request": {"shape": "standard", "ü": [1, None]},
        "plan": {},
        "fence": 1,
        "holder": "",
        "leased_until": None,
        "started_at": NOW,
        "ended_at": None,
        "code": "",
    }
    return RunRow(**(defaults | values))


def entry_row(run: RunRow, key: str = "server.db", **values: Any) -> EntryRow:
    defaults: dict[str, Any] = {
        "environment": run.environment,
        "project_id": run.project_id,
        "tenant_id": run.tenant_id,
        "key": key,
        "run_id": run.run_id,
        "action": "server",
        "kind": "server",
        "name": "fb-acme-db",
        "spec_sha256": "ab" * 32,
        "spec": {"candidates": [{"type": "cx33", "location": "nbg1"}]},
        "needs": ["network"],
        "position": 3,
        "state": E.INTENDED,
        "resource_id": "",
        "facts": {},
        "attempts": 1,
        "code": "",
        "fence": run.fence,
        "changed_at": NOW,
    }
    return EntryRow(**(defaults | values))


def audited(uow: ProvisioningUnitOfWork, row: EntryRow) -> None:
    """The entry with its event."""
    type = EventType.RESOURCE_REMOVED if row.state is E.GONE else EventType.RESOURCE_CREATED
    uow.audit.append(
        make_event(row.tenant_id or "control", type, SystemClock(), "provisioner", row.kind or "step", row.key, {})
    )
    uow.journal.put(row)


def begun(store: Registry, owner: Owner = OWNER) -> RunRow:
    """A run, taken once."""
    prepared(store)  # type: ignore[arg-type]
    row = run_row(owner)
    write(store, lambda uow: uow.journal.begin(row))
    taken = write(store, lambda uow: uow.journal.take(row.run_id, "one", NOW, later(60)))
    assert isinstance(taken, RunRow)
    return taken


def test_rows_come_back_as_they_were(registry: Registry) -> None:
    run = begun(registry)
    entry = entry_row(run)
    done = replace(entry, state=E.DONE, resource_id="42", facts={"location": "nbg1"}, code="cloud_locked")
    write(registry, lambda uow: uow.journal.put(entry))
    write(registry, lambda uow: audited(uow, done))
    with registry.unit_of_work() as uow:
        assert uow.journal.run(run.run_id) == run
        assert uow.journal.running() == [run] == uow.journal.running(OWNER) == uow.journal.runs(OWNER)
        assert uow.journal.running(BASE) == [] == uow.journal.runs(BASE)
        assert uow.journal.entries(OWNER) == [done] == uow.journal.owned("production")
        assert uow.journal.owned("staging") == [] == uow.journal.entries(BASE)


def test_entries_come_in_the_order_of_their_plan_and_owned_leaves_out_what_is_gone(registry: Registry) -> None:
    run = begun(registry)
    rows = [
        entry_row(run, "b", position=1),
        entry_row(run, "a", position=1, kind="", name=""),
        entry_row(run, "c", position=0),
    ]
    for row in rows:
        write(registry, lambda uow, row=row: uow.journal.put(row))
    for state in (E.UNDOING, E.GONE):
        write(registry, lambda uow, state=state: audited(uow, replace(rows[2], state=state)))
    with registry.unit_of_work() as uow:
        assert [row.key for row in uow.journal.entries(OWNER)] == ["c", "a", "b"]
        assert [row.key for row in uow.journal.owned("production")] == ["b"]


def test_of_an_owner_one_run_runs_at_a_time_and_fences_rise_over_runs(registry: Registry) -> None:
    run = begun(registry)
    other = run_row(fence=9)
    assert refused(registry, lambda uow: uow.journal.begin(other)) == "run_running"
    write(registry, lambda uow: uow.journal.begin(run_row(BASE)))  # another owner's
    ended = replace(run, state=RunState.FAILED, ended_at=NOW, holder="", leased_until=None, code="x")
    write(registry, lambda uow: uow.journal.put_run(ended))
    assert refused(registry, lambda uow: uow.journal.begin(run_row(fence=run.fence))) == "registry_refused"
    later_one = run_row(fence=run.fence + 1)
    write(registry, lambda uow: uow.journal.begin(later_one))
    with registry.unit_of_work() as uow:
        assert [row.run_id for row in uow.journal.runs(OWNER)] == [later_one.run_id, run.run_id]


@pytest.mark.parametrize(
    "values",
    [
        {"state": RunState.FAILED, "ended_at": NOW},
        {"direction": Direction.BACK, "code": "x"},
        {"holder": "one", "leased_until": NOW},
        {"tenant_id": "nobody"},
    ],
)
def test_a_run_that_cannot_begin_so_is_refused(registry: Registry, values: dict[str, Any]) -> None:
    prepared(registry)  # type: ignore[arg-type]
    assert refused(registry, lambda uow: uow.journal.begin(run_row(**values))) == "registry_refused"


def test_a_lease_is_held_by_one_until_it_runs_out(registry: Registry) -> None:
    run = begun(registry)
    take = lambda holder, now: write(  # noqa: E731
        registry, lambda uow: uow.journal.take(run.run_id, holder, now, now + timedelta(seconds=60))
    )
    assert run.fence == 2
    assert take("two", later(59)) is None
    assert write(registry, lambda uow: uow.journal.beat(run.run_id, 2, later(90)))
    assert take("two", later(61)) is None
    second = take("two", later(90))
    assert (second.fence, second.holder) == (3, "two")
    assert not write(registry, lambda uow: uow.journal.beat(run.run_id, 2, later(900)))
    again = take("two", later(91))  # the same holder, started anew
    assert again.fence == 4


def test_of_many_who_take_a_run_at_once_one_has_it(registry: Registry) -> None:
    run = begun(registry)
    got: list[RunRow | None] = []

    def take(name: str) -> None:
        got.append(write(registry, lambda uow: uow.journal.take(run.run_id, name, later(61), later(121))))

    threads = [threading.Thread(target=take, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row is not None for row in got) == 1


def test_a_stale_fence_writes_nothing(registry: Registry) -> None:
    run = begun(registry)
    entry = entry_row(run)
    write(registry, lambda uow: uow.journal.put(entry))
    write(registry, lambda uow: uow.journal.take(run.run_id, "two", later(61), later(121)))
    assert refused(registry, lambda uow: audited(uow, replace(entry, state=E.DONE, resource_id="1"))) == "fence_lost"
    assert refused(registry, lambda uow: uow.journal.put(entry_row(run, "other"))) == "fence_lost"
    assert refused(registry, lambda uow: uow.journal.put_run(replace(run, code="x"))) == "fence_lost"
    with registry.unit_of_work() as uow:
        assert uow.journal.entries(OWNER) == [entry]


def test_who_writes_the_next_fence_ends_the_right_of_the_holder(registry: Registry) -> None:
    run = begun(registry)
    back = replace(
        run, direction=Direction.BACK, code="plane_silent", fence=run.fence + 1, holder="", leased_until=None
    )
    write(registry, lambda uow: uow.journal.put_run(back))
    assert refused(registry, lambda uow: uow.journal.put(entry_row(run))) == "fence_lost"
    assert not write(registry, lambda uow: uow.journal.beat(run.run_id, run.fence, later(90)))


def test_nobody_writes_for_an_owner_of_whom_nothing_runs(registry: Registry) -> None:
    run = begun(registry)
    ended = replace(run, state=RunState.SUCCEEDED, ended_at=NOW, holder="", leased_until=None)
    write(registry, lambda uow: uow.journal.put_run(ended))
    assert refused(registry, lambda uow: uow.journal.put(entry_row(run))) == "fence_lost"
    assert write(registry, lambda uow: uow.journal.take(run.run_id, "one", later(100), later(160))) is None


def test_what_went_up_can_be_turned_back_even_after_its_end_and_nothing_else_can(registry: Registry) -> None:
    run = begun(registry)
    free = {"holder": "", "leased_until": None}
    up = replace(run, state=RunState.SUCCEEDED, ended_at=NOW, **free)
    write(registry, lambda uow: uow.journal.put_run(up))
    assert refused(registry, lambda uow: uow.journal.put_run(replace(run, **free))) == "registry_refused"
    back = replace(run, direction=Direction.BACK, code="plane_silent", **free)
    write(registry, lambda uow: uow.journal.put_run(back))
    assert refused(registry, lambda uow: uow.journal.put_run(replace(run, **free))) == "registry_refused"
    failed = replace(back, state=RunState.FAILED, ended_at=later(1))
    write(registry, lambda uow: uow.journal.put_run(failed))
    assert refused(registry, lambda uow: uow.journal.put_run(back)) == "registry_refused"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"request": {}}, "registry_refused"),
        ({"tenant_id": ""}, "registry_refused"),
        ({"started_at": later(1)}, "registry_refused"),
        ({"plan": {"steps": [1]}}, "registry_refused"),
        ({"direction": Direction.DOWN}, "registry_refused"),
        ({"fence": 1}, "fence_lost"),
        ({"fence": 4}, "fence_lost"),
        ({"ended_at": NOW}, "database_value_refused"),
        ({"holder": ""}, "database_value_refused"),
        ({"direction": Direction.BACK}, "database_value_refused"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else value,
)
def test_a_forged_change_of_a_run_is_refused(registry: Registry, values: dict[str, Any], code: str) -> None:
    run = replace(begun(registry), plan={"steps": []})
    write(registry, lambda uow: uow.journal.put_run(run))
    assert refused(registry, lambda uow: uow.journal.put_run(replace(run, **values))) == code


LEGAL = {
    (None, E.INTENDED),
    *((E.INTENDED, after) for after in (E.INTENDED, E.DONE, E.UNDOING)),
    *((E.DONE, after) for after in (E.DONE, E.INTENDED, E.UNDOING)),
    *((E.UNDOING, after) for after in (E.UNDOING, E.GONE, E.INTENDED)),
    *((E.GONE, after) for after in (E.INTENDED, E.UNDOING)),
}
WAYS: dict[EntryState | None, list[EntryState]] = {
    None: [],
    E.INTENDED: [E.INTENDED],
    E.DONE: [E.INTENDED, E.DONE],
    E.UNDOING: [E.INTENDED, E.UNDOING],
    E.GONE: [E.INTENDED, E.UNDOING, E.GONE],
}


@pytest.mark.parametrize("before", WAYS)
def test_an_entry_goes_only_the_ways_that_the_table_holds(registry: Registry, before: EntryState | None) -> None:
    run = begun(registry)
    for state in WAYS[before]:
        write(registry, lambda uow, state=state: audited(uow, entry_row(run, state=state, resource_id="7")))
    for after in EntryState:
        wanted = entry_row(run, state=after, resource_id="7")
        if (before, after) in LEGAL:
            with registry.unit_of_work() as uow:  # and is undone
                audited(uow, wanted)
        else:
            assert refused(registry, lambda uow, row=wanted: audited(uow, row)) == "registry_refused"


@pytest.mark.parametrize("forged", ["no event", "of another step", "of another tenant", "of another kind", "earlier"])
@pytest.mark.parametrize("after", [E.DONE, E.GONE])
def test_nothing_is_made_or_gone_without_its_audit_event(registry: Registry, after: EntryState, forged: str) -> None:
    run = begun(registry)
    for state in (E.INTENDED, E.UNDOING) if after is E.GONE else (E.INTENDED,):
        write(registry, lambda uow, state=state: uow.journal.put(entry_row(run, state=state)))
    row = entry_row(run, state=after, resource_id="7")
    events = {
        "of another step": ("acme", "server", "server.gateway"),
        "of another tenant": ("other", "server", row.key),
        "of another kind": ("acme", "volume", row.key),
        "earlier": ("acme", "server", row.key),
    }

    def event(uow: ProvisioningUnitOfWork) -> None:
        if forged in events:
            whose, kind, key = events[forged]
            uow.audit.append(make_event(whose, EventType.RESOURCE_CREATED, SystemClock(), "provisioner", kind, key, {}))

    if forged == "earlier":
        write(registry, event)
        assert refused(registry, lambda uow: uow.journal.put(row)) == "registry_refused"
    else:
        assert refused(registry, lambda uow: (event(uow), uow.journal.put(row))) == "registry_refused"
    without = entry_row(run, "files.db", state=E.INTENDED, kind="", name="")
    write(registry, lambda uow: uow.journal.put(without))
    write(registry, lambda uow: uow.journal.put(replace(without, state=E.DONE)))  # it makes no resource


def test_a_resource_that_is_made_has_an_id_and_a_name(registry: Registry) -> None:
    run = begun(registry)
    write(registry, lambda uow: uow.journal.put(entry_row(run)))
    assert refused(registry, lambda uow: audited(uow, entry_row(run, state=E.DONE))) == "database_value_refused"
    nameless = entry_row(run, "volume", name="")
    assert refused(registry, lambda uow: uow.journal.put(nameless)) == "database_value_refused"


def test_the_base_has_a_journal_of_its_own(registry: Registry) -> None:
    run = begun(registry, BASE)
    entry = entry_row(run, "server.edge", name="fb-edge")
    write(registry, lambda uow: uow.journal.put(entry))
    write(registry, lambda uow: audited(uow, replace(entry, state=E.DONE, resource_id="5")))
    with registry.unit_of_work() as uow:
        assert uow.journal.entries(OWNER) == []
        assert [row.key for row in uow.journal.entries(BASE)] == ["server.edge"]
