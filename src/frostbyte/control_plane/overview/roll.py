"""The list of tenants as operators read it: where each stands, how it is, what it costs, what is done to it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from frostbyte.control_plane.overview.costs import Cost, Costs
from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import OperationRow, TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.registry.tenants import begun_with
from frostbyte.control_plane.watch.verdict import Level
from frostbyte.control_plane.watch.view import TenantHealth

_PAGE: Final = 200

Look = Callable[[], Mapping[str, TenantHealth]]
"""How every tenant was last seen, by name; {} before anybody has looked."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant."""

    tenant: TenantRow
    health: TenantHealth | None
    """None where it was not looked at yet."""
    cost: Cost | None
    """None for a plane that was attached by hand, and for one of which nothing exists."""
    running: tuple[OperationRow, ...]
    """What is done to it now, oldest first."""


class Roll:
    """See the module.

    Args:
        unit_of_work: the registry's.
        costs: of all tenants.
        look: how they were seen.
    """

    def __init__(self, unit_of_work: RegistryFactory, costs: Costs, look: Look) -> None:
        self._unit_of_work, self._costs, self._look = unit_of_work, costs, look

    def page(
        self,
        *,
        state: TenantState | None = None,
        level: Level = Level.OK,
        prefix: str = "",
        after: str = "",
        limit: int = 50,
    ) -> tuple[list[Line], str]:
        """Tenants by name, and the name to go on after; '' at the end.

        Args:
            state: only those that stand there; None for all but those that are gone for good.
            level: only so bad or worse.
            prefix: only those whose names begin so.
            after: only those behind this name.

        Raises:
            Unavailable: `database_unavailable`.
        """
        seen = self._look()
        with self._unit_of_work() as uow:
            rows: list[TenantRow] = []
            for row in _rows(uow, state, prefix, after):
                if _fits(row, state, level, seen):
                    rows.append(row)
                if len(rows) > limit:
                    break
            running: dict[str, list[OperationRow]] = defaultdict(list)
            for operation in uow.operations.running():
                running[operation.tenant_id].append(operation)
        costs = self._costs.all()
        lines = [
            Line(
                tenant=row,
                health=seen.get(row.tenant_id),
                cost=costs.get((row.project_id, row.tenant_id)),
                running=tuple(running[row.tenant_id]),
            )
            for row in rows[:limit]
        ]
        return lines, rows[limit - 1].tenant_id if len(rows) > limit else ""

    def line(self, row: TenantRow) -> Line:
        """One of them. Raises Unavailable("database_unavailable")."""
        with self._unit_of_work() as uow:
            running = tuple(uow.operations.running(row.tenant_id))
        cost = self._costs.all().get((row.project_id, row.tenant_id))
        return Line(tenant=row, health=self._look().get(row.tenant_id), cost=cost, running=running)


def _rows(uow: RegistryUnitOfWork, state: TenantState | None, prefix: str, after: str) -> Iterator[TenantRow]:
    while page := begun_with(uow, prefix, state=state, after=after, limit=_PAGE):
        yield from page
        after = page[-1].tenant_id


def _fits(row: TenantRow, state: TenantState | None, level: Level, seen: Mapping[str, TenantHealth]) -> bool:
    if state is None and row.state is TenantState.DEPROVISIONED:
        return False
    if level is Level.OK:
        return True
    health = seen.get(row.tenant_id)
    return health is not None and health.verdict.level >= level
