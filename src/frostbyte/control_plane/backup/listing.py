"""A tenant's backups as the register knows them: each is an operation, and one of its steps says what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from frostbyte.control_plane.backup.daily import REMEMBERED
from frostbyte.control_plane.registry.changes import found
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.kernel.clock import Clock

LISTED: Final = 50
FACTS: Final = ("snapshot", "documents", "bytes", "written", "seconds", "trial_seconds")
"""What is told of a backup: its name, what it holds, how long it and the trial of it took."""


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """One that has ended."""

    operation: OperationRow
    facts: dict[str, Any]
    """Of `FACTS`; None for what is not known, as of one that failed."""


def listed(unit_of_work: RegistryFactory, clock: Clock, tenant_id: str, limit: int = LISTED) -> list[Backup]:
    """Those of the last two months that have ended, newest first.

    Raises:
        NotFound: `tenant_not_found`.
    """
    with unit_of_work() as uow:
        found(uow, tenant_id)
        rows = uow.operations.of(OperationKind.BACKUP, clock.now() - REMEMBERED)
        ended = [row for row in rows if row.tenant_id == tenant_id and row.ended_at is not None]
        newest = list(reversed(ended))[:limit]
        steps = {row.operation_id: uow.operations.steps(row.operation_id) for row in newest}
    backups = []
    for row in newest:
        of = steps[row.operation_id]
        facts: Mapping[str, Any] = next((one.facts for one in of if one.step == "backup_taken" and not one.code), {})
        backups.append(Backup(operation=row, facts={name: facts.get(name) for name in FACTS}))
    return backups
