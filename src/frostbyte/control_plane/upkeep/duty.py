"""The words of upkeep: a duty is one kind of work on a tenant that stands, done in stages.

A stage is journalled after it is done, as a step of the operation, with what came of it. So each may be done again
after a crash at any moment in it, and has to find what an earlier attempt has left. Deterministic names do: they are
made of the operation's id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict

STANDS: Final = frozenset({TenantState.ACTIVE, TenantState.SUSPENDED})


class Task(Protocol):
    """One operation, as its stages see it."""

    @property
    def operation(self) -> OperationRow: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked for, as `Duty.asked` returned it."""
        ...

    def facts(self, stage: str) -> Mapping[str, Any]:
        """What a stage that is done came to. Raises KeyError."""
        ...

    @property
    def stop(self) -> threading.Event:
        """Set when the process ends: to stop as soon as that is safe."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped, which a stage lets pass: it is done again when the process is back."""
        ...


class Stopped(Exception):
    """The process ends in the middle of a stage."""


class GivenUp(Conflict):
    """What a stage had done for it was tried as often as that helps: it is not tried again, whatever its code is."""


Facts = Mapping[str, Any] | None
"""JSON values, no secret and no content: they are stored and shown."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One thing that a duty does.

    Attributes:
        name: unique in its duty, of a-z, '_' and '.': what watchers see, and overview/words.py says in words.
        do: does it, and returns when it is seen to be done. Raises FrostbyteError alone: a code that passes
            (provisioning.retry.AGAIN, foreman.PASSES) is tried again with growing pauses, any other turns back.
        undo: takes it back. It is called for every stage that may have begun, in reverse, so it has to bear that
            nothing was done. None where nothing is to be taken back.
        final: once it is done the only way is forward: what fails later ends the operation where it is.
    """

    name: str
    do: Callable[[Task], Facts]
    undo: Callable[[Task], None] | None = None
    final: bool = False


class Duty(Protocol):
    """One kind of work."""

    @property
    def kinds(self) -> frozenset[OperationKind]:
        """The operations that it carries out."""
        ...

    @property
    def event(self) -> EventType | None:
        """What the audit is told at the end, however it ended; None for a duty that tells it stage by stage."""
        ...

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The request, checked and completed with what stands now, in the transaction that begins the operation.

        Raises:
            Invalid: what is asked for cannot be.
            Conflict: not now, or not for this tenant.
        """
        ...

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """What is to be done, in order: the same for the same operation, however often it is asked."""
        ...

    def details(self, task: Task) -> Mapping[str, Any]:
        """What the event says besides the operation's id, reason and outcome; keys of kernel.audit.events.DETAILS."""
        ...


def standing(tenant: TenantRow) -> None:
    """See that a tenant can be worked on. Raises Conflict("tenant_not_standing")."""
    if tenant.state not in STANDS:
        raise Conflict(
            "tenant_not_standing",
            f"The tenant is {tenant.state.value}, and only one that is ACTIVE or SUSPENDED can be worked on.",
            "Wait until it stands; `tenant show` says how it is.",
        )
