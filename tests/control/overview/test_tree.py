"""An operation as a tree: what is expected, what is done, what it made, and what became of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import NOW
from control.test_journal_contract import OWNER, entry_row, run_row
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.control_plane.overview.tree import Books, Node, State, Tree, expected_of, tree
from frostbyte.control_plane.provisioning.journal import Direction, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.planned import as_json
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus, StepRow
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import EventRow
from provisioning.planning import catalogue, wanted

RUNNING, WELL, BADLY = OperationStatus.RUNNING, OperationStatus.SUCCEEDED, OperationStatus.FAILED


def operation(kind: OperationKind = OperationKind.PROVISION, **values: Any) -> OperationRow:
    defaults: dict[str, Any] = {
        "operation_id": new_id(),
        "tenant_id": "acme",
        "kind": kind,
        "status": RUNNING,
        "actor": "ann",
        "reason": "requested",
        "started_at": NOW,
        "ended_at": None,
        "code": "",
    }
    return OperationRow(**(defaults | values))


def noted(row: OperationRow, *steps: tuple[str, OperationStatus, str, float]) -> list[StepRow]:
    """Steps: name, status, code, seconds after the beginning."""
    return [
        StepRow(
            operation_id=row.operation_id,
            number=number,
            step=step,
            status=status,
            code=code,
            at=NOW + timedelta(seconds=after),
        )
        for number, (step, status, code, after) in enumerate(steps, 1)
    ]


def run_of(row: OperationRow, **values: Any) -> RunRow:
    """A run of the operation with the plan of a small tenant."""
    made = plan(wanted({"shape": "small"}), [], [], catalogue(), NOW)
    return run_row(OWNER, run_id=row.operation_id, plan=as_json(made), **values)


def event(run: RunRow, type: EventType, key: str, cloud_id: str) -> EventRow:
    details = {"component": "provisioning", "provision_id": run.run_id, "action": "server", "cloud_id": cloud_id}
    return make_event("acme", type, ManualClock(NOW), "provisioner", key.partition(".")[0], key, details)


def grown(row: OperationRow, steps: Sequence[StepRow], run: RunRow | None = None, **more: Any) -> Tree:
    expected = more.pop("expected", expected_of(row.kind, managed=run is not None))
    return tree(Books(operation=row, steps=steps, expected=expected, run=run, **more), NOW + timedelta(seconds=60))


def every(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from every(node.nodes)


def states(told: Tree) -> dict[str, str]:
    return {node.key: node.state.value for node in every(told.nodes)}


def test_a_suspension_says_how_many_seconds_it_took() -> None:
    row = operation(OperationKind.SUSPEND)
    told = grown(row, noted(row, ("registry_committed", WELL, "", 0.1), ("edge_closed", WELL, "", 0.4)))
    assert states(told) == {"registry_committed": "done", "edge_closed": "done", "plane_acknowledged": "expected"}
    assert (told.edge_seconds, told.plane_seconds, told.done, told.of) == (0.4, None, 2, 3)
    assert told.seconds == 60
    steps = noted(row, ("edge_closed", WELL, "", 0.4), ("plane_acknowledged", WELL, "", 1.6))
    ended = replace(row, status=WELL, ended_at=NOW + timedelta(seconds=1.7))
    told = grown(ended, steps)
    assert (told.edge_seconds, told.plane_seconds, told.seconds) == (0.4, 1.6, 1.7)
    assert told.nodes[2].took_seconds == pytest.approx(1.2)


def test_a_plane_that_is_away_is_waited_for_and_the_edge_is_shut_all_the_same() -> None:
    row = operation(OperationKind.SUSPEND)
    steps = noted(row, ("edge_closed", WELL, "", 0.4), ("plane_acknowledged", BADLY, "plane_unreachable", 3))
    told = grown(row, steps)
    assert (told.nodes[2].state, told.nodes[2].code, told.edge_seconds) == (State.WAITING, "plane_unreachable", 0.4)
    over = replace(row, status=BADLY, code="operation_superseded", ended_at=NOW + timedelta(seconds=9))
    assert grown(over, steps).nodes[2].state is State.FAILED
    assert grown(over, steps[:1]).nodes[2].state is State.SKIPPED


def test_a_resumption_opens_the_edge_last() -> None:
    row = operation(OperationKind.RESUME)
    told = grown(row, noted(row, ("plane_acknowledged", WELL, "", 0.5), ("edge_opened", WELL, "", 0.8)))
    assert (told.plane_seconds, told.edge_seconds) == (0.5, 0.8)


def test_before_anything_is_planned_only_what_it_does_by_itself_is_expected() -> None:
    row = operation()
    told = grown(row, [], run_row(OWNER, run_id=row.operation_id))
    assert [node.key for node in told.nodes] == list(expected_of(OperationKind.PROVISION, managed=True))
    assert "hosts_ready" not in states(grown(row, []))


def test_hosts_hang_on_the_step_that_waits_for_them_with_what_they_made() -> None:
    row = operation()
    run = run_of(row)
    entry = entry_row(
        run,
        "server.single",
        state=EntryState.DONE,
        resource_id="4711",
        attempts=2,
        facts={"type": "cx53", "location": "nbg1", "secret": "no"},
    )
    steps = noted(
        row,
        ("plan", WELL, "", 1),
        ("network", RUNNING, "", 1.5),
        ("network", WELL, "", 3),
        ("server.single", RUNNING, "", 3),
        ("server.single", BADLY, "cloud_out_of_stock", 4),
        ("server.single", RUNNING, "", 5),
    )
    told = grown(row, steps, run, entries=[entry], events=[event(run, EventType.RESOURCE_CREATED, "network", "17")])
    by_key = {node.key: node for node in every(told.nodes)}
    hosts = by_key["hosts_ready"]
    assert hosts.state is State.RUNNING
    assert [node.key for node in hosts.nodes][:2] == ["plan", "network"]
    network = by_key["network"]
    assert (network.state, network.took_seconds, network.after_seconds) == (State.DONE, 1.5, 3)
    assert [(made.did, made.kind, made.name, made.cloud_id) for made in network.made] == [
        ("made", "network", "fb-acme-network", "17")
    ]
    branch = by_key["host.single"]
    assert (branch.state, branch.words) == (State.RUNNING, "single")
    assert {node.key for node in branch.nodes} >= {"server.single", "join.single", "start.single", "deploy.single"}
    server = by_key["server.single"]
    assert (server.state, server.attempts, server.words) == (State.RUNNING, 2, "server ordered")
    done = [event(run, EventType.RESOURCE_CREATED, "server.single", "4711")]
    price = next(f"{step['monthly']} EUR" for step in run.plan["steps"] if step["key"] == "server.single")
    told = grown(row, [*steps, *noted(row, ("server.single", WELL, "", 9))], run, entries=[entry], events=done)
    (made,) = {node.key: node for node in every(told.nodes)}["server.single"].made
    assert (made.facts, made.monthly) == ({"type": "cx53", "location": "nbg1"}, price)


def test_what_was_made_is_told_for_ever_though_another_stands_there_now() -> None:
    row = operation(status=WELL, ended_at=NOW + timedelta(seconds=90))
    run = run_of(row, state=RunState.SUCCEEDED, ended_at=NOW + timedelta(seconds=80))
    newer = entry_row(run, "server.single", run_id=new_id(), resource_id="9", facts={"type": "cx53"}, attempts=5)
    steps = noted(row, ("server.single", RUNNING, "", 3), ("server.single", WELL, "", 9))
    told = grown(
        row, steps, run, entries=[newer], events=[event(run, EventType.RESOURCE_CREATED, "server.single", "8")]
    )
    server = {node.key: node for node in every(told.nodes)}["server.single"]
    assert [(made.cloud_id, made.facts) for made in server.made] == [("8", {})]
    assert server.attempts == 0


def test_a_way_back_takes_away_where_it_was_made() -> None:
    row = operation()
    run = run_of(row, direction=Direction.BACK, code="cloud_quota")
    steps = noted(
        row,
        ("network", RUNNING, "", 1),
        ("network", WELL, "", 2),
        ("volume", WELL, "", 2),
        ("server.single", BADLY, "cloud_quota", 3),
        ("undo.network", RUNNING, "", 4),
        ("undo.volume", WELL, "kept", 4),
        ("undo.server.single", BADLY, "cloud_in_use", 5),
    )
    happened = [
        event(run, EventType.RESOURCE_CREATED, "network", "17"),
        event(run, EventType.RESOURCE_REMOVED, "network", "17"),
    ]
    told = grown(row, steps, run, events=happened)
    by_key = {node.key: node for node in every(told.nodes)}
    assert by_key["network"].state is State.TAKING
    assert by_key["network"].words == "network - taken away"
    assert [made.did for made in by_key["network"].made] == ["removed"]
    assert (by_key["volume"].state, by_key["volume"].code) == (State.KEPT, "")
    assert (by_key["server.single"].state, by_key["server.single"].code) == (State.FAILED, "cloud_in_use")
    again = [*steps, *noted(row, ("network", RUNNING, "", 8))]
    assert states(grown(row, again, run))["network"] == "running"


def test_what_stood_before_is_no_work() -> None:
    row = operation(OperationKind.SCALE)
    run = run_of(row)
    facts = {**run.plan["facts"], "standings": dict.fromkeys(run.plan["facts"]["standings"], "done")}
    run = replace(run, plan={**run.plan, "facts": facts})
    told = grown(row, [], run, expected=("hosts_changed", "surplus_gone"))
    assert [node.key for node in told.nodes] == ["hosts_changed", "surplus_gone"]
    assert states(told)["server.single"] == "stood"


def test_a_duty_whose_stages_nobody_knows_shows_what_it_did() -> None:
    row = operation(OperationKind.BACKUP, status=BADLY, code="backup_failed", ended_at=NOW + timedelta(seconds=5))
    told = grown(row, noted(row, ("backup_prepared", WELL, "", 1), ("backup_taken", BADLY, "disk_full", 5)))
    assert states(told) == {"backup_prepared": "done", "backup_taken": "failed"}
    assert told.nodes[1].words == "a backup is stored, and a trial of it went well"
    assert (told.nodes[1].code, told.called) == ("disk_full", "Backing it up")


def test_what_came_late_is_shown_where_nobody_planned_it() -> None:
    row = operation(OperationKind.DEPROVISION)
    run = run_row(OWNER, run_id=row.operation_id, direction=Direction.DOWN)
    told = grown(row, noted(row, ("undo.stray.server.99", RUNNING, "", 4)), run)
    assert states(told)["stray.server.99"] == "taking"


@pytest.mark.parametrize("kind", [*OperationKind])
def test_every_kind_has_a_tree(kind: OperationKind) -> None:
    row = operation(kind)
    told = grown(row, [])
    assert told.called
    assert told.of == len(expected_of(kind, managed=False))
