"""Operations, with all that is known of them: read in one transaction, so that no two parts tell of two moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from frostbyte.control_plane.overview.tree import DID, Books, Tree, expected_of, tree
from frostbyte.control_plane.provisioning.journal import RunRow
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.registry.records import DUTIES, OperationRow
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.records import EventRow

EVENTS: Final = 2000
"""Of a tenant that are looked through for those of one run, the newest first: a run makes some dozen things."""

Stages = Callable[[OperationRow], Sequence[str]]
"""Names of what a duty does, in order; () where nobody here knows."""


class Watching:
    """See the module.

    Args:
        unit_of_work: of registry and journal.
        stages: of duties.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, clock: Clock, stages: Stages = lambda _: ()) -> None:
        self._unit_of_work, self._clock, self._stages = unit_of_work, clock, stages

    def tree(self, operation_id: UUID) -> Tree:
        """One operation as a tree. Raises NotFound("operation_not_found")."""
        with self._unit_of_work() as uow:
            row = uow.operations.get(operation_id)
            if row is None:
                raise NotFound("operation_not_found", "There is no such operation.", "Check the id.")
            run = uow.journal.run(operation_id)
            books = Books(
                operation=row,
                steps=uow.operations.steps(operation_id),
                expected=self._stages(row) if row.kind in DUTIES else expected_of(row.kind, managed=run is not None),
                run=run,
                entries=uow.journal.entries(run.owner) if run is not None else (),
                events=self._events(uow, run) if run is not None else (),
            )
        return tree(books, self._clock.now())

    def _events(self, uow: ProvisioningUnitOfWork, run: RunRow) -> list[EventRow]:
        """What became of things in a run, oldest first."""
        before = run.ended_at + timedelta(seconds=1) if run.ended_at is not None else None
        found = uow.audit.newest(run.tenant_id, since=run.started_at, before=before, limit=EVENTS)
        wanted = {each.value for each in DID}
        ours = [
            event
            for event in found
            if event.type in wanted and str(event.details.get("provision_id", "")) == str(run.run_id)
        ]
        return ours[::-1]
