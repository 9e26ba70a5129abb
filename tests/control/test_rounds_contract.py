"""What every registry promises of duties for many tenants."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import NOW, later
from control.test_journal_contract import write
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus, RoundRow
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ids import new_id


def row(**values: Any) -> RoundRow:
    told: dict[str, Any] = {
        "round_id": new_id(),
        "kind": OperationKind.REFRESH,
        "request": {"supply": "set-1", "parts": ["signatures"]},
        "tenants": ("beta", "acme"),
        "soak_seconds": 60,
        "actor": "alice",
        "reason": "requested",
        "status": OperationStatus.RUNNING,
        "started_at": NOW,
        "ended_at": None,
        "code": "",
        "stopped_at": "",
    }
    return RoundRow(**(told | values))


def test_one_runs_at_a_time_and_ends_once(registry: Any) -> None:
    first, second = row(), row()
    write(registry, lambda uow: uow.rounds.add(first))
    with registry.unit_of_work() as uow:
        assert uow.rounds.running() == uow.rounds.get(first.round_id) == first
        with pytest.raises(Conflict) as refused:
            uow.rounds.add(second)
        assert refused.value.code == "round_running"
    ended = replace(first, status=OperationStatus.FAILED, ended_at=later(9), code="host_slow", stopped_at="acme")
    write(registry, lambda uow: uow.rounds.end(ended))
    write(registry, lambda uow: uow.rounds.end(replace(ended, code="round_stopped")))
    write(registry, lambda uow: uow.rounds.add(second))
    with registry.unit_of_work() as uow:
        assert uow.rounds.get(first.round_id) == ended
        assert uow.rounds.running() == second
        assert uow.rounds.page() == [second, ended]
        assert uow.rounds.page(before=second.round_id, limit=1) == [ended]
        assert uow.rounds.get(new_id()) is None
