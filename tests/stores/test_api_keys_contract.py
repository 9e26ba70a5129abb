"""Keys of machines in both stores, and what the database refuses whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.kernel.api_keys import new_key
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import ApiKeyRow

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def row(key_id: str, sha256: bytes = b"h" * 32) -> ApiKeyRow:
    """A key's row."""
    return ApiKeyRow(
        key_id=key_id, name="o'scanner", sha256=sha256, scopes=("ingest", "query"), created_at=NOW, created_by="ann"
    )


def write(store: Any, act: Any) -> Any:
    """Do it in a transaction of its own."""
    with store.unit_of_work() as uow:
        result = act(uow.access)
        uow.commit()
    return result


def test_keys_are_kept_listed_used_and_revoked(store: Any) -> None:
    rows = [row(f"{number:012}") for number in range(3)]
    for one in reversed(rows):
        write(store, lambda access, one=one: access.add_key(one))
    with pytest.raises(Conflict):
        write(store, lambda access: access.add_key(rows[0]))
    with store.unit_of_work() as uow:
        assert uow.access.key(rows[1].key_id) == rows[1]
        assert uow.access.key("absent000000") is None
        assert uow.access.keys() == rows
        assert uow.access.keys(after=rows[0].key_id, limit=1) == [rows[1]]
    key_id = rows[0].key_id
    for at, noted in ((NOW, NOW), (NOW + MINUTE / 2, NOW), (NOW + 2 * MINUTE, NOW + 2 * MINUTE)):
        write(store, lambda access, at=at: access.note_use(key_id, at, before=at - MINUTE))
        with store.unit_of_work() as uow:
            assert uow.access.key(key_id).last_used_at == noted
    assert write(store, lambda access: access.revoke_key(key_id, NOW, "ann"))
    assert not write(store, lambda access: access.revoke_key(key_id, NOW, "eve"))
    assert not write(store, lambda access: access.revoke_key("absent000000", NOW, "eve"))
    with store.unit_of_work() as uow:
        assert uow.access.key(key_id) == replace(
            rows[0], last_used_at=NOW + 2 * MINUTE, revoked_at=NOW, revoked_by="ann"
        )


def test_noting_a_use_waits_for_nobody(postgres: PostgresStore) -> None:
    write(postgres, lambda access: access.add_key(row("0" * 12)))
    with postgres.unit_of_work() as first, postgres.unit_of_work() as second:
        first.access.note_use("0" * 12, NOW, before=NOW)
        second.access.note_use("0" * 12, NOW + MINUTE, before=NOW)  # would wait for the first one's end
        second.commit()
        first.commit()
    with postgres.unit_of_work() as uow:
        found = uow.access.key("0" * 12)
    assert found is not None
    assert found.last_used_at == NOW


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE api_keys SET revoked_at = NULL, revoked_by = ''",
        "UPDATE api_keys SET revoked_by = 'eve'",
        "UPDATE api_keys SET sha256 = decode(repeat('00', 32), 'hex')",
        "UPDATE api_keys SET scopes = '{admin}'",
        "UPDATE api_keys SET expires_at = NULL",
        "UPDATE api_keys SET name = 'x'",
        "DELETE FROM api_keys",
        "TRUNCATE api_keys",
    ],
)
@pytest.mark.parametrize("role", ["frostbyte_writer", "frostbyte_owner"])
def test_a_key_stays_what_it_is_whoever_asks(
    change: str, role: str, server: EmbeddedServer, database: str, postgres: PostgresStore
) -> None:
    mine = replace(row("0" * 12), expires_at=NOW)
    write(postgres, lambda access: access.add_key(mine))
    write(postgres, lambda access: access.revoke_key(mine.key_id, NOW, "ann"))
    with psycopg.connect(server.dsn(role, database)) as connection:
        refused = (psycopg.errors.InsufficientPrivilege, psycopg.DatabaseError)
        with pytest.raises(refused) as error:
            connection.execute(sql.SQL(change))  # type: ignore[arg-type]
    assert error.value.sqlstate in ("42501", "FB001")
    if role == "frostbyte_owner":
        assert error.value.sqlstate == "FB001"


def test_nothing_in_the_database_opens_a_key(server: EmbeddedServer, database: str, postgres: PostgresStore) -> None:
    """Every value of every column of the table, put where a key is asked for, and the key nowhere in it."""
    from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
    from frostbyte.kernel.admission import Admission
    from frostbyte.kernel.clock import SystemClock
    from frostbyte.kernel.errors import FrostbyteError
    from frostbyte.kernel.tokens import Scope, plane_realm

    clock = SystemClock()
    door = Admission(MemoryTokenKeys(clock).keys, plane_realm("acme"), postgres.unit_of_work, clock, "acme")
    made = door.create_key("scanner", frozenset({Scope.QUERY}), None, actor="ann")
    assert door.caller(made["key"]).subject == "key:scanner"
    secret = made["key"].rsplit("_", 1)[1]
    with psycopg.connect(server.dsn("frostbyte_owner", database)) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        held = []
        for (table,) in tables:
            query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t").format(sql.Identifier(table))
            held += [record[0] for record in connection.execute(query).fetchall()]
        kept = connection.execute(
            "SELECT key_id, encode(sha256, 'hex'), encode(sha256, 'base64') FROM api_keys"
        ).fetchone()
    assert any(made["key_id"] in text for text in held)
    assert not any(secret in text for text in held)
    assert kept is not None
    for value in (*kept, f"fbk_{kept[0]}_{kept[1]}", f"fbk_{kept[0]}_{kept[1][:43]}"):
        with pytest.raises(FrostbyteError):
            door.caller(value)
    assert new_key().sha256 != new_key().sha256
