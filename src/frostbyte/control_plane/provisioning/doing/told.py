"""What a step reads of others: where a spec says `@step`, the address of that one is meant.

What a tenant needs of the base (the bastion's address and key) is read from the base's entries in the journal: the
tenant's own run knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Context, Outcome
from frostbyte.kernel.errors import Conflict

STEP: Final = "@"
"""What a value begins with that is the address of a step's resource."""


def base_of(owner: Owner) -> Owner:
    """The base of the owner's project."""
    return Owner(environment=owner.environment, project_id=owner.project_id)


class Told:
    """What is known of steps that are done: of the run's own owner, and of the base.

    Args:
        unit_of_work: where the base's entries are.
    """

    def __init__(self, unit_of_work: ProvisioningFactory) -> None:
        self._unit_of_work = unit_of_work

    def outcome(self, key: str, context: Context) -> Outcome:
        """Of a step of this plan, or else of the base's.

        Raises:
            Conflict: `base_incomplete`.
        """
        try:
            return context.outcome(key)
        except KeyError:
            pass
        with self._unit_of_work() as uow:
            for entry in uow.journal.entries(base_of(context.owner)):
                if entry.key == key and entry.state is EntryState.DONE:
                    return Outcome(resource_id=entry.resource_id, facts=entry.facts)
        raise Conflict(
            "base_incomplete",
            f"The project's base has not done its step {key}.",
            "Run `frostbyte control up` for the project, then try again.",
        )

    def address(self, value: str, context: Context) -> str:
        """An address as a spec writes it: itself, or the one of a step."""
        return str(self.outcome(value[1:], context).facts["address"]) if value.startswith(STEP) else value

    def addresses(self, values: Iterable[str], context: Context) -> tuple[str, ...]:
        """The same of several, in their order."""
        return tuple(self.address(value, context) for value in values)

    def networks(self, values: Iterable[str], context: Context) -> tuple[str, ...]:
        """Networks (CIDR); a step's address stands for itself alone."""
        return tuple(f"{self.address(value, context)}/32" if value.startswith(STEP) else value for value in values)
