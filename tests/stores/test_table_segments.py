"""A segment of the log is read by its indexes, however long the log has become."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.postgres.tables import SEGMENTED


@pytest.mark.parametrize("table", sorted(SEGMENTED))
def test_the_server_has_no_choice_but_to_look_rows_up(server: EmbeddedServer, database: str, table: str) -> None:
    bounds = {"log": sql.Literal(0), "start": sql.Literal(4096), "end": sql.Literal(8192)}
    query = sql.SQL("EXPLAIN SELECT rows.* FROM {}").format(sql.SQL(SEGMENTED[table]).format(**bounds))
    with psycopg.connect(server.dsn("frostbyte_writer", database)) as connection:
        connection.execute("SET enable_nestloop = off")  # what a long log makes it prefer
        plan = "\n".join(row[0] for row in connection.execute(query).fetchall())
    assert "Hash Join" not in plan, plan
    assert "Merge Join" not in plan, plan
