"""What a tenant's plane holds for a matter is not removed from the shared servers either."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from frostbyte.adapters.postgres import PostgresStore
from frostbyte.adapters.postgres.tenants import PostgresTenants
from frostbyte.bootstrap import storage
from frostbyte.data_plane.lifecycle.holds import Holds, Reason, ReleaseReason
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict
from servers.postgres import PostgresServer


def test_a_held_tenant_is_not_destroyed(postgres_server: PostgresServer, tmp_path: Path) -> None:
    databases, told = PostgresTenants(postgres_server.dsn()), list[str]()

    def say(store: str, what: str) -> None:
        told.append(what)

    storage.provision([databases], "heldone", tmp_path, say)
    assert databases.holds("heldone") == 0
    with PostgresStore((tmp_path / "database_url").read_text().strip()) as store:
        holds = Holds("heldone", store.unit_of_work, SystemClock())
        placed = holds.place("2026-0147", Reason.LITIGATION, everything=True, actor="counsel")
        told.clear()
        with pytest.raises(Conflict) as caught:
            storage.destroy([databases], "heldone", tmp_path, say)
        assert (caught.value.code, told) == ("tenant_held", [])
        assert databases.holds("heldone") == 1
        holds.release(UUID(placed["hold_id"]), ReleaseReason.CLOSED, actor="counsel")
    assert storage.destroy([databases], "heldone", tmp_path, say)
    assert databases.remains("heldone") == []
    assert databases.holds("heldone") == 0
