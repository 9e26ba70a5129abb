"""What every store of alarms promises, and that the database keeps them from being changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from control.registry_rows import NOW, Registry, prepared, tenant
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.killswitch.stored import StoredAlarms
from frostbyte.control_plane.registry.records import AlarmRow
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id


def alarm(code: str = "standing_behind", **values: Any) -> AlarmRow:
    row = AlarmRow(alarm_id=new_id(), tenant_id="acme", code=code, expected="5", came="4", rung_at=NOW)
    return replace(row, **values)


def ring(store: Registry, row: AlarmRow) -> bool:
    with store.unit_of_work() as uow:
        rang = uow.alarms.ring(row)
        uow.commit()
    return rang


def settle(store: Registry, code: str) -> bool:
    with store.unit_of_work() as uow:
        settled = uow.alarms.settle("acme", code, NOW + timedelta(seconds=9))
        uow.commit()
    return settled


def test_an_alarm_rings_once_until_it_is_settled_and_then_anew(registry: Registry) -> None:
    prepared(registry)
    first, again, other = alarm(), alarm(), alarm("standing_ahead")
    assert [ring(registry, row) for row in (first, again, other)] == [True, False, True]
    with registry.unit_of_work() as uow:
        assert uow.alarms.ringing() == [first, other]
        assert uow.alarms.ringing("globex") == []
    assert [settle(registry, "standing_behind") for _ in range(2)] == [True, False]
    assert ring(registry, again)
    with registry.unit_of_work() as uow:
        assert {row.alarm_id for row in uow.alarms.ringing("acme")} == {again.alarm_id, other.alarm_id}


def test_an_alarm_belongs_to_a_tenant_that_there_is(registry: Registry) -> None:
    prepared(registry, tenant("globex"))
    with pytest.raises(FrostbyteError):
        ring(registry, alarm())


def test_what_rings_is_known_after_a_restart(registry: Registry) -> None:
    prepared(registry)
    clock = ManualClock(NOW)
    StoredAlarms(registry.unit_of_work, clock).ring("acme", "standing_behind", expected="5", came="4")
    after = StoredAlarms(registry.unit_of_work, clock)
    after.ring("acme", "standing_behind", expected="5", came="3")
    assert after.ringing() == {"acme": ("standing_behind",)}
    after.settle("acme", ["standing_behind", "standing_ahead"])
    assert after.ringing() == {}
    with registry.unit_of_work() as uow:
        assert uow.alarms.ringing() == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM alarms",
        "TRUNCATE alarms",
        "UPDATE alarms SET came = 'nothing'",
        "UPDATE alarms SET settled_at = NULL",
        "UPDATE alarms SET settled_at = now(), code = 'standing_ahead'",
    ],
)
def test_evidence_is_not_changed_by_anybody(
    statement: str, server: EmbeddedServer, database: str, postgres: PostgresRegistry
) -> None:
    prepared(postgres)
    ring(postgres, alarm())
    for dsn in (server.dsn("frostbyte_writer", database), server.dsn("frostbyte_owner", database)):
        with psycopg.connect(dsn, autocommit=True) as connection, pytest.raises(psycopg.Error):
            connection.execute(statement)
