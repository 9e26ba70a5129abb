"""What the faces (HTTP, commands) ask of provisioning. Plans touch nothing; `begin` writes down and returns at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from frostbyte.control_plane.provisioning.drift import Difference
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.planner import Planned
from frostbyte.control_plane.registry.idempotency import Once
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.control_plane.registry.states import Move


class Asked(Protocol):
    """The use cases."""

    def plan(self, tenant_id: str, values: Mapping[str, Any] | None = None, *, octet: int | None = None) -> Planned:
        """As Planner.tenant."""
        ...

    def drift(self, tenant_id: str) -> list[Difference]:
        """As Planner.drift."""
        ...

    def remains(self, tenant_id: str) -> list[EntryRow]:
        """The tenant's entries that are not gone, in the order of their plan: what exists, or may.

        Raises:
            NotFound: `tenant_not_found`.
        """
        ...

    def ending(self, tenant_id: str, *, destroy_data: bool) -> tuple[list[EntryRow], list[EntryRow]]:
        """What of `remains` deprovisioning would take away, in the order in which it goes, and what would stay.

        Raises:
            NotFound: `tenant_not_found`.
        """
        ...

    def begin(
        self,
        tenant_id: str,
        move: Move,
        values: Mapping[str, Any] | None = None,
        *,
        actor: str,
        reason: str,
        octet: int | None = None,
        expected: int | None = None,
        confirmation: str = "",
        once: Once | None = None,
    ) -> OperationRow:
        """Move the tenant, begin the operation and, where it has hosts of ours or is to have some, its run.

        Args:
            tenant_id: which tenant.
            move: PROVISION, RETRY, ABANDON or DEPROVISION.
            values: of PROVISION and of RETRY after it: of a desired.Request, laid over what was asked for last;
                of DEPROVISION, ABANDON and of RETRY after them: `destroy_data`.
            octet: as Planner.tenant.
            actor, reason, expected, confirmation, once: as registry.operations.Operations.begin.

        Raises:
            FrostbyteError: as Operations.begin, Planner.tenant and Plan.check.
        """
        ...
