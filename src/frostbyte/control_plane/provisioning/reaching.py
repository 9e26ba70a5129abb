"""The way to hosts of tenants that stand, as the journal knows them."""

from __future__ import annotations

import threading

from frostbyte.control_plane.provisioning.doing.hosts import Way
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import HostAddress, ProvisioningFactory
from frostbyte.control_plane.provisioning.regiving import Standing
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action


class Reaching:
    """Reads the journal of any owner."""

    def __init__(self, unit_of_work: ProvisioningFactory) -> None:
        self._unit_of_work, self._told = unit_of_work, Told(unit_of_work)

    def done(self, owner: Owner, action: Action | None = None) -> list[EntryRow]:
        """The owner's steps that are done, in the order of its plan; of one action, or all."""
        return [row for row in self.live(owner) if row.state is EntryState.DONE and action in (None, row.action)]

    def live(self, owner: Owner) -> list[EntryRow]:
        """All of the owner's steps that are not gone, in the order of its plan."""
        with self._unit_of_work() as uow:
            return [row for row in uow.journal.entries(owner) if row.state is not EntryState.GONE]

    def way(self, owner: Owner, row: EntryRow, stop: threading.Event) -> HostAddress:
        """The host that a step is about.

        Args:
            row: of a step whose spec names a host and the way to it.
            stop: set when the process ends.

        Raises:
            Conflict: `base_incomplete`: a host on the way never settled.
        """
        done = {each.key: outcome_of(each) for each in self.done(owner)}
        return Way(self._told).to(step_of(row), Standing(owner, row.run_id, done, stop))
