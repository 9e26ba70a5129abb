"""Resources of a cloud: made once under their name, known again by it and by their labels, taken away if they are ours.

Whatever carries other labels is left alone: one that a stranger made, and one that a person took from us since.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from frostbyte.control_plane.provisioning.ports import Cloud, CloudError
from frostbyte.control_plane.provisioning.resources import Found, Kind
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable


def not_ours(step: Step) -> Conflict:
    """The name that a step needs is somebody else's."""
    return Conflict(
        "resource_not_ours",
        f"{step.name} exists and is not this owner's: it carries other labels.",
        "Rename or remove it at the cloud if nobody needs it; it was left as it is.",
    )


def missing(step: Step) -> FrostbyteError:
    """What was made is not there any more."""
    return Unavailable(
        "resource_missing",
        f"{step.name or step.key} was made, and the cloud does not know it any more.",
        "Look who removes it; then try again.",
    )


def different(step: Step, what: str) -> Conflict:
    """Ours, but not what the plan says."""
    return Conflict(
        "resource_differs",
        f"{step.name or step.key} is there, but its {what} is not the planned one.",
        "An older attempt left it. Give that one up (`tenant abandon`), then try again.",
    )


def remains(step: Step) -> Unavailable:
    """It was taken away, and the cloud still shows it."""
    return Unavailable(
        "resource_remains", f"{step.name} was deleted, and the cloud still shows it.", "It is looked at again."
    )


class Owned(ABC):
    """A kind of resource. Implements `steps.Doing`.

    Args:
        cloud: of the owner's project.
    """

    kind: ClassVar[Kind]
    kept: ClassVar[tuple[str, ...]] = ()
    """Facts that other steps and people need; the rest changes without us."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @abstractmethod
    def make(self, step: Step, context: Context) -> Found:
        """Ask the cloud for it."""

    def fits(self, step: Step, found: Found, context: Context) -> None:
        """Raises Conflict("resource_differs")."""
        return

    def facts(self, step: Step, found: Found, context: Context) -> Mapping[str, Any]:
        """What is kept of it."""
        return {name: found.facts[name] for name in self.kept if name in found.facts}

    def taken(self, step: Step, found: Found, context: Context) -> None:
        """Do what must be done before it can be deleted."""
        return

    def find(self, step: Step, context: Context) -> Outcome | None:
        found = self._cloud.find(self.kind, step.name)
        if found is None:
            return None
        if not self.ours(found, context):
            raise not_ours(step)
        self.fits(step, found, context)
        return self._outcome(step, found, context, adopted=True)

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        """See steps.Lasting."""
        return self._cloud.show(self.kind, outcome.resource_id) is not None

    def do(self, step: Step, context: Context) -> Outcome:
        try:
            found = self.make(step, context)
        except CloudError as error:
            if error.code != "cloud_name_taken":
                raise
            adopted = self.find(step, context)  # by an earlier attempt of ours, or by a stranger
            if adopted is None:
                raise
            return adopted
        return self._outcome(step, found, context)

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        found = self._cloud.show(self.kind, outcome.resource_id)
        if found is None:
            raise missing(step)
        if not self.ours(found, context):
            raise not_ours(step)
        self.fits(step, found, context)

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """What was made and is to be otherwise now: it stays where it fits the new spec, and is said where not.

        None of these is taken away and made anew behind anybody's back: a network has servers in it, a volume data.
        """
        self.verify(step, outcome, context)
        return outcome

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        known = outcome.resource_id if outcome else ""
        found = self._cloud.show(self.kind, known) if known else None
        if found is not None and not self.ours(found, context):
            raise not_ours(step)  # somebody took it from us: that it stays is for people to know
        if found is None:
            found = self._cloud.find(self.kind, step.name)
            if found is None or not self.ours(found, context):
                return
        self.taken(step, found, context)
        self._cloud.delete(self.kind, found.resource_id)  # and sees that it is gone

    def ours(self, found: Found, context: Context) -> bool:
        """Whether its labels say that it is this owner's."""
        return context.owner.owns(found.labels)

    def _outcome(self, step: Step, found: Found, context: Context, *, adopted: bool = False) -> Outcome:
        return Outcome(resource_id=found.resource_id, facts=dict(self.facts(step, found, context)), adopted=adopted)
