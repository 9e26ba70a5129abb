"""What the ledger's stores promise, the one in memory and PostgreSQL alike."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.lines import read_page
from frostbyte.control_plane.ledger.ports import LedgerStore, Query
from frostbyte.control_plane.ledger.pull import Puller
from frostbyte.control_plane.ledger.records import AlertRow, EndingRow, Finding, StandingRow, StepRow
from frostbyte.kernel.audit.checkpoint import Cosigner
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ids import new_id
from ledger.planes import START, SimulatedPlane, SteppingClock


def step(log_id: int, plane: SimulatedPlane, size: int) -> StepRow:
    return StepRow(
        log_id=log_id,
        size=size,
        edge=b"\x01" * 64,
        root=plane.root(size),
        note="note\n",
        last_timestamp=START + timedelta(seconds=size - 1),
        stored_at=START,
    )


def fill(store: LedgerStore, *plane_sizes: tuple[SimulatedPlane, tuple[int, ...]]) -> list[int]:
    """Logs with steps at these sizes; their numbers."""
    ids = []
    with store.unit_of_work() as uow:
        for plane, sizes in plane_sizes:
            log = uow.open_log(plane.tenant_id, plane.signer.verifier_key, START)
            ids.append(log.log_id)
            at = 0
            for size in sizes:
                page = read_page(plane.lines(at, size), plane.tenant_id, at, size - at)
                uow.add_step(step(log.log_id, plane, size), page.entries)
                at = size
        uow.commit()
    return ids


@pytest.fixture
def two(store: LedgerStore) -> list[int]:
    acme, globex = SimulatedPlane().grow(12), SimulatedPlane("globex", seed=3).grow(9)
    return fill(store, (acme, (6, 12)), (globex, (9,)))


def test_a_log_is_registered_once(store: LedgerStore) -> None:
    key, other = SimulatedPlane().signer.verifier_key, SimulatedPlane(seed=8).signer.verifier_key
    with store.unit_of_work() as uow:
        first = uow.open_log("acme", key, START)
        uow.commit()
    with store.unit_of_work() as uow:
        assert uow.open_log("acme", key, START + timedelta(days=1)) == first
        second = uow.open_log("acme", other, START)
        third = uow.open_log("globex", key, START)
        assert uow.logs("acme") == [first, second]
        assert uow.logs() == [first, second, third]
        assert uow.logs("nobody") == []


def test_the_newest_events_of_some_types_come_first(store: LedgerStore, two: list[int]) -> None:
    with store.unit_of_work() as uow:
        whole = [kept.entry for kept in uow.events(Query(log_ids=(two[0],)))]
        types = sorted({entry.type for entry in whole})[:1]
        fitting = [entry for entry in whole if entry.type in types][::-1]
        assert len(fitting) > 2
        assert uow.newest([two[0]], types) == fitting
        assert uow.newest([two[0]], types, limit=2) == fitting[:2]
        bounds = {"since": fitting[-1].timestamp, "before": fitting[0].timestamp}
        assert uow.newest([two[0]], types, **bounds) == fitting[1:]
        assert uow.newest([], types) == []
        assert uow.newest(two, []) == []
        both = uow.newest(two, [entry.type for entry in whole])
        assert [entry.timestamp for entry in both] == sorted((one.timestamp for one in both), reverse=True)
        assert len(both) > len(whole)


def test_steps_follow_each_other(store: LedgerStore, two: list[int]) -> None:
    with store.unit_of_work() as uow:
        last, below = uow.last_step(two[0]), uow.step_below(two[0], 11)
        assert (last.size if last else 0, below.size if below else 0) == (12, 6)
        assert uow.step_below(two[0], 5) is None
        assert uow.last_step(99) is None
        assert [row.size for row in uow.steps(two[0], after_size=0, limit=9)] == [6, 12]
        assert [row.size for row in uow.steps(two[0], after_size=6, limit=9)] == [12]
        assert last is not None
        assert len(last.hashes) == 2
    plane = SimulatedPlane().grow(14)
    for first, size in ((0, 6), (6, 12), (13, 14)):
        page = read_page(plane.lines(first, size), "acme", first, size - first)
        with store.unit_of_work() as uow, pytest.raises(Conflict):
            uow.add_step(step(two[0], plane, size), page.entries)


def test_what_is_not_committed_is_undone(store: LedgerStore, two: list[int]) -> None:
    plane = SimulatedPlane().grow(14)
    with store.unit_of_work() as uow:
        uow.add_step(step(two[0], plane, 14), read_page(plane.lines(12, 14), "acme", 12, 2).entries)
    with store.unit_of_work() as uow:
        assert len(uow.range(two[0], 0, 100)) == 12
        last = uow.last_step(two[0])
        assert last is not None
        assert last.size == 12


def found(store: LedgerStore, query: Query, *, after: tuple[int, int] = (-1, -1), limit: int = 100) -> list[int]:
    with store.unit_of_work() as uow:
        return [item.log_id * 100 + item.entry.sequence for item in uow.events(query, after=after, limit=limit)]


def test_events_are_found_by_log_document_type_and_time(store: LedgerStore, two: list[int]) -> None:
    one, other = two[0] * 100, two[1] * 100
    whole = [one + at for at in range(12)] + [other + at for at in range(9)]
    assert found(store, Query()) == whole
    assert found(store, Query(log_ids=(two[1],))) == whole[12:]
    document = str(UUID(int=(8 << 76) + 1))
    assert found(store, Query(resource_id=document)) == [one + 3, one + 4, one + 5, other + 3, other + 4, other + 5]
    assert found(store, Query(resource_id=document, type="DOCUMENT_PARSED")) == [one + 5, other + 5]
    assert found(store, Query(type="DOCUMENT_SCANNED", log_ids=(two[0],))) == [one + 1, one + 4, one + 7, one + 10]
    since, until = START + timedelta(seconds=5), START + timedelta(seconds=7)
    assert found(store, Query(since=since, until=until)) == [one + 5, one + 6, one + 7, other + 5, other + 6, other + 7]
    assert found(store, Query(since=START + timedelta(seconds=11))) == [one + 11]
    assert found(store, Query(since=START + timedelta(days=1))) == []


def test_pages_of_any_size_show_each_event_once(store: LedgerStore, two: list[int]) -> None:
    for limit in (1, 2, 5, 12, 13, 21):
        seen: list[int] = []
        after = (-1, -1)
        while page := found(store, Query(), after=after, limit=limit):
            seen += page
            after = divmod(page[-1], 100)
        assert seen == found(store, Query())


def test_events_are_kept_as_they_came(store: LedgerStore, two: list[int]) -> None:
    plane = SimulatedPlane().grow(12)
    with store.unit_of_work() as uow:
        assert b"".join(entry.line for entry in uow.range(two[0], 0, 12)) == plane.lines(0, 12)
        assert b"".join(entry.line for entry in uow.range(two[0], 5, 8)) == plane.lines(5, 8)
        documents = [str(UUID(int=(8 << 76) + 1))]
        assert [entry.sequence for entry in uow.of_resources(two[0], documents, 5, limit=9)] == [4, 3]
        assert [entry.sequence for entry in uow.of_resources(two[0], documents, 9, limit=1)] == [5]


def alert(log_id: int, tenant_id: str, finding: Finding) -> AlertRow:
    return AlertRow(
        alert_id=new_id(),
        log_id=log_id,
        tenant_id=tenant_id,
        finding=finding,
        size=9,
        position=3,
        message="what is wrong",
        evidence=b"what \x00 shows it",
        raised_at=START,
    )


def test_alerts_end_once(store: LedgerStore, two: list[int]) -> None:
    first, second = alert(two[0], "acme", Finding.GAP), alert(two[1], "globex", Finding.FORK)
    ending = EndingRow(alert_id=first.alert_id, ended_at=START, actor="auditor", reason="seen")
    with store.unit_of_work() as uow:
        uow.raise_alert(first)
        uow.raise_alert(second)
        uow.commit()
    with store.unit_of_work() as uow:
        assert uow.end_alert(ending)
        uow.commit()
    with store.unit_of_work() as uow:
        assert not uow.end_alert(ending)
        assert [(item.row, item.ending) for item in uow.alerts()] == [(second, None), (first, ending)]
        assert [item.row for item in uow.alerts(open_only=True)] == [second]
        assert [item.row for item in uow.alerts(tenant_id="acme")] == [first]
        assert [item.row for item in uow.alerts(after=second.alert_id)] == [first]
        assert [item.row for item in uow.alerts(limit=1)] == [second]
        one = uow.alert(second.alert_id)
        assert one is not None
        assert one.row == second
        assert uow.alert(new_id()) is None


def test_standings_are_overwritten(store: LedgerStore, two: list[int]) -> None:
    row = StandingRow(log_id=two[0], heard_at=None, current_at=None, plane_size=3, code="plane_unreachable")
    later = StandingRow(log_id=two[0], heard_at=START, current_at=START, plane_size=9, code="")
    for rows in ([row], [later]):
        with store.unit_of_work() as uow:
            uow.put_standings(rows)
            uow.commit()
    with store.unit_of_work() as uow:
        assert uow.standings() == [later]


# PostgreSQL alone.

TABLES = ("ledger_logs", "ledger_events", "ledger_events_3", "ledger_steps", "ledger_alerts", "ledger_endings")


@pytest.mark.parametrize("table", TABLES)
def test_nobody_changes_what_is_kept(server: EmbeddedServer, database: str, table: str) -> None:
    for role, refused in (("frostbyte_writer", "42501"), ("frostbyte_owner", "FB001")):
        for statement in ("DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET log_id = 1"):
            if table == "ledger_endings" and "UPDATE" in statement:
                statement = "UPDATE {} SET actor = 'x'"
            with psycopg.connect(server.dsn(role, database)) as connection, pytest.raises(psycopg.Error) as caught:
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
            assert caught.value.sqlstate in (refused, "428C9"), (role, statement)  # an identity cannot be set either


def test_a_question_about_today_does_not_read_last_year(
    server: EmbeddedServer, database: str, postgres: object
) -> None:
    """Rows read, as PostgreSQL counts them."""
    store: LedgerStore = postgres  # type: ignore[assignment]
    plane = SimulatedPlane().grow(*[100] * 30)
    puller = Puller(Keeping(store, Cosigner(bytes(32), "witness"), SteppingClock()))
    for size in range(100, 3001, 100):
        part = SimulatedPlane(events_=plane.events_[:size], notes=[item for item in plane.notes if item[0] <= size])
        puller.pull(plane.followed, part)
    with store.unit_of_work() as uow:
        late = uow.events(Query(since=START + timedelta(seconds=2950)), limit=100)
    assert [item.entry.sequence for item in late] == list(range(2950, 3000))
    from frostbyte.adapters.ledger.postgres import _look_up

    text, values = _look_up(Query(since=START + timedelta(seconds=2950)), (-1, -1), 100)
    with psycopg.connect(server.dsn("frostbyte_writer", database)) as connection:
        plan = connection.execute(sql.SQL("EXPLAIN (ANALYZE, FORMAT TEXT) " + text), values).fetchall()
    read = [line for (line,) in plan if "Rows Removed by Filter" in line]
    assert sum(int(line.rpartition(":")[2]) for line in read) <= 100, "\n".join(line for (line,) in plan)
