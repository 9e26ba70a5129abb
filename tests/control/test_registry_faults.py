"""A control plane ends, or loses its database, between any two statements: a change is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from control.offices import Office
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.postgres.mapping import Repository
from frostbyte.adapters.postgres.pool import PostgresTransaction
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.registry.idempotency import Once, once
from frostbyte.control_plane.registry.records import OperationStatus
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.kernel.errors import Unavailable

Act = Callable[[Office, Once | None], object]
STATEMENTS = ("_run", "_one", "_all", "_copy")


@contextmanager
def before_statement(number: int, act: Callable[[], None]) -> Iterator[list[int]]:
    """Act before the statement of this number (a commit counts as one); gives a list with how many there were."""
    seen = [0]
    patch = pytest.MonkeyPatch()

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            seen[0] += 1
            if seen[0] == number:
                act()
            return real(*args, **kwargs)

        return wrapped

    for name in STATEMENTS:
        patch.setattr(Repository, name, counting(getattr(Repository, name)))
    patch.setattr(PostgresTransaction, "commit", counting(PostgresTransaction.commit))
    try:
        yield seen
    finally:
        patch.undo()


def end_connections(server: EmbeddedServer, database: str) -> None:
    """As a failover does: every connection is cut."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database]
        )


def picture(office: Office) -> tuple[Any, ...]:
    """All that the registry says of the tenant."""
    with office.store.unit_of_work() as uow:
        return (
            uow.tenants.get("acme"),
            uow.endpoints.get("acme"),
            uow.operations.page(tenant_id="acme"),
            uow.configs.page("acme"),
            [event.event_id for event in uow.audit.unsequenced(1000)],
        )


def whole(office: Office) -> None:
    """One event for each change, the newest in the tenant's row, and an operation where the tenant is on its way."""
    with office.store.unit_of_work() as uow:
        events = [event for event in uow.audit.unsequenced(1000) if event.tenant_id == "acme"]
        row = uow.tenants.get("acme")
        running = uow.operations.running("acme")
    if row is None:
        assert (events, running) == ([], [])
        return
    assert [event.details["version"] for event in events] == list(range(1, row.version + 1))
    assert row.last_event_id == events[-1].event_id
    on_the_way = row.state in (TenantState.PROVISIONING, TenantState.DEPROVISIONING)
    assert len(running) == 1 if on_the_way else True


def create(office: Office, request: Once | None) -> object:
    return office.tenants.create("acme", "north", actor="alice", once=request)


def attach(office: Office, request: Once | None) -> object:
    return office.attach(once=request)


def suspend(office: Office, request: Once | None) -> object:
    return office.begin(Move.SUSPEND, once=request)


def configure(office: Office, request: Once | None) -> object:
    return office.tenants.configure("acme", {"top_k": 3}, expected=1, actor="alice", once=request)


def end(office: Office, request: Once | None) -> object:
    with office.store.unit_of_work() as uow:
        (operation,) = uow.operations.page(tenant_id="acme", limit=1)
    return office.operations.end(operation.operation_id) if operation.status is OperationStatus.RUNNING else operation


def leave(office: Office, request: Once | None) -> object:
    return office.begin(Move.DEPROVISION, confirmation="acme", once=request)


LIFE: list[Act] = [create, attach, end, suspend, configure, leave, end]


@pytest.mark.slow
@pytest.mark.parametrize("position", range(len(LIFE)), ids=[act.__name__ for act in LIFE])
def test_a_lost_connection_leaves_all_or_nothing_and_the_repetition_makes_it_whole(
    server: EmbeddedServer, database: str, position: int
) -> None:
    with PostgresRegistry(server.dsn("frostbyte_writer", database)) as store:
        office = Office(store)
        for act in LIFE[:position]:
            act(office, None)
        act, request = LIFE[position], once("alice", "k", LIFE[position].__name__, {})
        for number in range(1, 60):
            before = picture(office)
            try:
                with before_statement(number, lambda: end_connections(server, database)) as seen:
                    act(office, request)
            except Unavailable:
                assert picture(office) == before  # the pool has another connection, and nothing is half
                whole(office)
                continue
            assert seen[0] < number, "the connection was cut and nobody noticed"
            break
        assert number > 3
        whole(office)
        after = picture(office)
        act(office, request)
        assert picture(office) == after


def test_an_answer_that_was_lost_after_the_commit_is_given_again(server: EmbeddedServer, database: str) -> None:
    with PostgresRegistry(server.dsn("frostbyte_writer", database)) as store:
        office, request = Office(store), once("alice", "k", "create", {})
        patch = pytest.MonkeyPatch()
        commit = PostgresTransaction.commit

        def lost(transaction: PostgresTransaction) -> None:
            commit(transaction)
            raise Unavailable("database_unavailable", "The database cannot be reached.", "")

        with patch.context() as patched:
            patched.setattr(PostgresTransaction, "commit", lost)
            with pytest.raises(Unavailable):
                create(office, request)
        after = picture(office)
        assert create(office, request) == after[0]
        assert picture(office) == after
        whole(office)


@pytest.mark.slow
def test_a_control_plane_killed_between_any_two_statements(server: EmbeddedServer, database: str) -> None:
    """Real processes, killed by signal 9, before each statement of each change of a tenant's whole life."""
    script = Path(__file__).with_name("killed_operator.py")
    dsn = server.dsn("frostbyte_writer", database)
    done = subprocess.run(
        [sys.executable, str(script), dsn], capture_output=True, text=True, timeout=100, cwd=script.parents[1]
    )
    assert done.returncode == 0, done.stderr
    kills = dict(line.split() for line in done.stdout.splitlines())
    assert list(kills) == ["create", "attach", "end", "suspend", "configure", "leave", "last_end"]
    assert min(map(int, kills.values())) > 3
    with PostgresRegistry(dsn) as store:
        with store.unit_of_work() as uow:
            row = uow.tenants.get("acme")
        assert row is not None
        assert (row.state, row.octet) == (TenantState.DEPROVISIONED, None)
        assert row.version == 8
