"""What the registry's database refuses by itself, whoever asks and past all of our code."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from control.registry_rows import add_tenant, config, endpoints, operation, project, step, tenant
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.registry.states import MOVES
from frostbyte.kernel.settings import RESERVED_TENANTS

pytestmark = pytest.mark.slow

ADDED_ONLY = ("control_plane", "projects", "legal_moves", "tenant_configs", "operation_steps")
NEVER_REMOVED = ("tenants", "endpoints", "operations")
EVERYBODY = (("frostbyte_writer", ("42501", "FB001", "FB002")), ("frostbyte_owner", ("FB001", "FB002")))
EVERYBODY += (("postgres", ("FB001", "FB002")),)

REMOVALS = [f"DELETE FROM {table} WHERE false" for table in (*ADDED_ONLY, *NEVER_REMOVED)]
REMOVALS += [f"TRUNCATE {table} CASCADE" for table in (*ADDED_ONLY, *NEVER_REMOVED)]
CHANGES = [
    "UPDATE projects SET environment = 'staging'",
    "UPDATE legal_moves SET then_state = 'ACTIVE'",
    "INSERT INTO legal_moves VALUES ('PENDING', '', 'wish', 'ACTIVE', '')",
    "UPDATE tenant_configs SET values = '{}'",
    "UPDATE operation_steps SET step = 'x'",
    "UPDATE tenants SET state = 'ACTIVE'",
    "UPDATE tenants SET state = 'PROVISIONING', version = version + 1",
    "UPDATE tenants SET tenant_id = 'other'",
    "UPDATE tenants SET octet = 9",
    "UPDATE tenants SET octet = octet",
    "UPDATE operations SET kind = 'resume'",
    "INSERT INTO tenants SELECT 'forged', project_id, 9, state, failed, version, config_version, standing_version, "
    "created_at, updated_at, last_event_id FROM tenants",
]


@pytest.fixture(scope="module")
def filled(server: EmbeddedServer) -> Iterator[str]:
    """The name of a database that holds a row of everything."""
    server.create_database("filled", template="template")
    with PostgresRegistry(server.dsn("frostbyte_writer", "filled")) as store, store.unit_of_work() as uow:
        uow.projects.add(project())
        add_tenant(uow, tenant())
        uow.configs.add(config())
        uow.endpoints.put(endpoints())
        acting = operation()
        uow.operations.add(acting)
        uow.operations.add_step(step(acting, 1))
        uow.commit()
    yield "filled"
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE filled WITH (FORCE)")


@pytest.mark.parametrize(("role", "codes"), EVERYBODY, ids=[role for role, _ in EVERYBODY])
def test_nobody_changes_what_is_kept(server: EmbeddedServer, filled: str, role: str, codes: tuple[str, ...]) -> None:
    for statement in (*REMOVALS, *CHANGES):
        with psycopg.connect(server.dsn(role, filled)) as connection:
            if role == "postgres":  # ordinary triggers can be switched off; these are not ordinary
                connection.execute("SET session_replication_role = replica")
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
            connection.rollback()
            assert caught.value.sqlstate in codes, statement


def test_the_table_of_moves_is_the_one_in_the_code(server: EmbeddedServer, filled: str) -> None:
    with psycopg.connect(server.dsn("frostbyte_writer", filled)) as connection:
        found = connection.execute("SELECT state, failed, move, then_state, then_failed FROM legal_moves").fetchall()
    assert set(found) == {tuple(map(str, (*before, *after))) for before, after in MOVES.items()}


@pytest.mark.parametrize("name", [*sorted(RESERVED_TENANTS), "", "UPPER", "a-b", "a" * 33, "a\nb", "ä"])
def test_the_database_knows_which_ids_no_tenant_has(server: EmbeddedServer, filled: str, name: str) -> None:
    with psycopg.connect(server.dsn("frostbyte_owner", filled)) as connection:
        defined = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'tenants_tenant_id_check'"
        ).fetchone()
        assert defined is not None
        condition = defined[0].removeprefix("CHECK ")
        asked = sql.SQL("SELECT {} FROM (SELECT %s::text AS tenant_id) AS _").format(sql.SQL(condition))
        answer, control = (connection.execute(asked, [text]).fetchone() for text in (name, "acme"))
    assert (answer, control) == ((False,), (True,))


def test_a_page_of_any_list_is_read_from_an_index(server: EmbeddedServer, filled: str) -> None:
    """Not sorted, not filtered row by row: what a page costs does not grow with the number of tenants."""
    filters = {"project_id": "north", "state": "ACTIVE"}
    with psycopg.connect(server.dsn("frostbyte_owner", filled)) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        for chosen in itertools.chain.from_iterable(itertools.combinations(filters, n) for n in range(3)):
            where = " AND ".join([f"{name} = '{filters[name]}'" for name in chosen] + ["tenant_id > 'a'"])
            query = f"EXPLAIN SELECT * FROM tenants WHERE {where} ORDER BY tenant_id LIMIT 100"
            plan = "\n".join(row[0] for row in connection.execute(query).fetchall())  # type: ignore[arg-type]
            assert "Sort" not in plan
            assert "Filter" not in plan
            assert "Index Scan" in plan
