"""What every relational store promises of a plane's standing, and of the jobs that it holds back."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.kernel.audit.events import event_leaf
from frostbyte.kernel.audit.export import line
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, PlaneStandingRow, PlaneState, Stage
from stores.store_rows import NOW, Store, event, job, later, write

ALL = tuple(Stage)


def test_a_fresh_plane_is_active_and_needs_nobody(store: Store) -> None:
    with store.unit_of_work() as uow:
        assert uow.standing.get() == PlaneStandingRow()
        assert uow.standing.lease_left(NOW) == 0


def test_a_standing_is_kept_apart_from_its_lease(store: Store) -> None:
    row = PlaneStandingRow(
        version=7, state=PlaneState.SUSPENDED, keys=("k1", "k2"), witness_key="w", changed_at=NOW, needs_lease=True
    )
    write(store, lambda uow: uow.standing.grant(NOW, 60))
    write(store, lambda uow: uow.standing.put(row))
    with store.unit_of_work() as uow:
        assert uow.standing.get(lock=True) == replace(row, lease_from=NOW, lease_until=later(60))
    write(store, lambda uow: uow.standing.grant(NOW, 0))
    with store.unit_of_work() as uow:
        assert uow.standing.get() == row


@pytest.mark.parametrize(("at", "left"), [(-0.1, 0), (0, 10), (4, 6), (9.9, 0.1), (10, 0), (99, 0)])
def test_a_lease_holds_from_its_beginning_to_its_end(store: Store, at: float, left: float) -> None:
    """A clock that was set back ends it as one that was set forward does."""
    write(store, lambda uow: uow.standing.grant(NOW, 10))
    write(store, lambda uow: uow.standing.put(PlaneStandingRow(needs_lease=True)))
    write(store, lambda uow: uow.jobs.put(job(not_before=later(-100))))
    with store.unit_of_work() as uow:
        assert uow.standing.lease_left(later(at)) == pytest.approx(left)
        assert bool(uow.jobs.due(Stage.SCAN, later(at))) is (left > 0)
        assert bool(uow.jobs.lease("w", later(at), 30, ALL)) is (left > 0)


@pytest.mark.parametrize(
    ("values", "begun"),
    [
        ({}, True),
        ({"needs_lease": True}, False),
        ({"state": PlaneState.SUSPENDED}, False),
        ({"state": PlaneState.CLOSED}, False),
    ],
)
def test_jobs_are_begun_only_while_the_standing_allows(store: Store, values: dict[str, Any], begun: bool) -> None:
    row = job()
    write(store, lambda uow: (uow.standing.put(PlaneStandingRow(**values)), uow.jobs.put(row)))
    with store.unit_of_work() as uow:
        assert bool(uow.jobs.claim(row.job_id, "w", NOW, 30)) is begun
    with store.unit_of_work() as uow:
        assert bool(uow.jobs.lease("w", NOW, 30, ALL)) is begun
        if not begun:
            assert uow.jobs.find(row.job_id) == row  # no attempt counted


def test_what_is_under_way_ends_while_a_plane_is_suspended(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        held = uow.jobs.claim(row.job_id, "w", NOW, 30)
        uow.commit()
    assert held is not None
    write(store, lambda uow: uow.standing.put(PlaneStandingRow(state=PlaneState.SUSPENDED)))
    with store.unit_of_work() as uow:
        assert uow.jobs.renew(held, later(1), 30)
        assert uow.jobs.finish(held)


def test_who_is_about_to_begin_is_waited_for_and_who_comes_later_begins_nothing(store: Store) -> None:
    """From the commit on, nothing is begun: not by a claim either that had looked before it."""
    rows = [job() for _ in range(200)]
    write(store, lambda uow: [uow.jobs.put(row) for row in rows])
    suspended, late, taken = threading.Event(), [], []

    def work(name: str) -> None:
        while True:
            was = suspended.is_set()
            with store.unit_of_work() as uow:
                found = uow.jobs.lease(name, NOW, 30, ALL)
                uow.commit()
            if found is None:
                return
            (late if was else taken).append(found)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    while not taken:
        pass
    write(store, lambda uow: uow.standing.put(PlaneStandingRow(state=PlaneState.SUSPENDED)))
    suspended.set()
    with store.unit_of_work() as uow:
        leased = sum(row.leased_until is not None for row in uow.jobs.page(limit=1000))
    for thread in threads:
        thread.join()
    with store.unit_of_work() as uow:
        assert sum(row.leased_until is not None for row in uow.jobs.page(limit=1000)) == leased
        assert len(uow.jobs.page(limit=1000)) == 200
    assert not late
    assert taken


def test_a_claim_that_waits_for_a_suspension_begins_nothing(postgres: PostgresStore) -> None:
    """Its statement began before: it looks anew once the lock is its own."""
    row = job()
    write(postgres, lambda uow: uow.jobs.put(row))
    found: list[Any] = []

    def claim() -> None:
        with postgres.unit_of_work() as uow:
            found.append(uow.jobs.lease("w", NOW, 30, ALL))
            uow.commit()

    with postgres.unit_of_work() as uow:
        uow.standing.put(PlaneStandingRow(state=PlaneState.SUSPENDED))
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        uow.commit()
    thread.join()
    assert found == [None]


@pytest.mark.parametrize(
    "change", [{"version": 4}, {"state": PlaneState.ACTIVE, "version": 6}, {"state": PlaneState.SUSPENDED}]
)
def test_the_database_lets_no_standing_go_back(postgres: PostgresStore, change: dict[str, Any]) -> None:
    row = PlaneStandingRow(version=5, state=PlaneState.CLOSED)
    write(postgres, lambda uow: uow.standing.put(row))
    with pytest.raises(FrostbyteError) as caught:
        write(postgres, lambda uow: uow.standing.put(replace(row, **change)))
    assert caught.value.code == "database_value_refused"


def test_cosignatures_are_only_added(postgres: PostgresStore, server: EmbeddedServer, database: str) -> None:
    write(
        postgres, lambda uow: uow.audit.add_checkpoint(CheckpointRow(size=1, root=bytes(32), note="n", created_at=NOW))
    )
    row = CosignatureRow(size=1, witness="w", line="x\n", created_at=NOW)
    write(postgres, lambda uow: uow.audit.add_cosignature(row))
    for statement in ("UPDATE audit_cosignatures SET line = ''", "DELETE FROM audit_cosignatures"):
        with psycopg.connect(server.dsn("frostbyte_owner", database)) as connection, pytest.raises(psycopg.Error):
            connection.execute(statement)


def test_cosignatures_are_shown_with_their_checkpoint(store: Store) -> None:
    def fill(uow: Any) -> None:
        for size in (1, 2):
            uow.audit.add_checkpoint(CheckpointRow(size=size, root=bytes(32), note=f"n{size}\n", created_at=NOW))
        for witness, text in (("b", "second\n"), ("a", "first\n"), ("a", "again\n")):
            uow.audit.add_cosignature(CosignatureRow(size=1, witness=witness, line=text, created_at=NOW))

    write(store, fill)
    with store.unit_of_work() as uow:
        assert [row.note for row in uow.audit.checkpoints()] == ["n1\nfirst\nsecond\n", "n2\n"]
        covering, latest = uow.audit.checkpoint_covering(0), uow.audit.latest_checkpoint()
    assert covering is not None
    assert latest is not None
    assert (covering.note, latest.note) == ("n1\nfirst\nsecond\n", "n2\n")


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abz_", max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    details=st.dictionaries(st.text("abcxyz_", min_size=1, max_size=9), _VALUES, max_size=4), actor=_TEXTS, part=_TEXTS
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_an_export(postgres: PostgresStore, details: dict[str, Any], actor: str, part: str) -> None:
    """Also of what no event of ours may hold: a log that was tampered with is handed out as it is."""
    with postgres.unit_of_work() as uow:
        first = uow.audit.log_size()
        rows = [
            event(details=details, actor=actor, resource_id=part, previous_event_id=prev) for prev in (None, new_id())
        ]
        uow.audit.append_many(rows)
        uow.audit.extend(first, [row.event_id for row in rows], [event_leaf(row) for row in rows])
        found = uow.audit.lines(after_sequence=first - 1, until=first + 2, limit=10)
        assert found == [line(item) for item in uow.audit.events(after_sequence=first - 1)]
        assert [json.loads(text)["sequence"] for text in found] == [first, first + 1]
        uow.commit()


def test_lines_end_at_the_bound_and_the_limit(store: Store) -> None:
    rows = [event() for _ in range(6)]

    def fill(uow: Any) -> None:
        uow.audit.append_many(rows)
        uow.audit.extend(0, [row.event_id for row in rows], [event_leaf(row) for row in rows])

    write(store, fill)
    with store.unit_of_work() as uow:
        for after, until, limit, wanted in (
            (-1, 6, 99, range(6)),
            (1, 4, 99, (2, 3)),
            (0, 6, 2, (1, 2)),
            (5, 6, 9, ()),
        ):
            found = uow.audit.lines(after_sequence=after, until=until, limit=limit)
            assert [json.loads(text)["sequence"] for text in found] == list(wanted)
