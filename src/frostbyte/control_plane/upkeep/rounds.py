"""One duty for many tenants: the canary first, looked at for a while, then the others one by one, until one fails.

Nothing but the order and the end is written down here. What a tenant's part came to is its operation, which names the
round; so whoever goes on after a crash finds what was begun, and begins nothing twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus, RoundRow
from frostbyte.control_plane.upkeep.duty import STANDS
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.ids import new_id

TURN_SECONDS: Final = 2.0
ROUND: Final = "round"
"""The key of an operation's request that names its round."""
_LOOKED: Final = 50
"""Operations of a tenant that are looked through for the round's own."""
_WAITS: Final = frozenset({"operation_running", "tenant_changed"})
_log = structlog.get_logger("frostbyte.upkeep")


class Rounds:
    """See the module.

    Args:
        foreman: begins each tenant's part.
        there: ids of tenants that have hosts of ours.
        trouble: why a tenant is not as well as it ought to be after its part, as a code; '' where it is.
    """

    def __init__(
        self,
        unit_of_work: RegistryFactory,
        foreman: Foreman,
        there: Callable[[], Sequence[str]],
        trouble: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._unit_of_work, self._foreman, self._clock = unit_of_work, foreman, clock
        self._there, self._trouble = there, trouble
        self._wake = threading.Event()

    def begin(
        self,
        kind: OperationKind,
        request: Mapping[str, Any],
        *,
        canary: str = "",
        only: Sequence[str] = (),
        soak_seconds: int,
        actor: str,
        reason: str,
        once: Once | None = None,
    ) -> RoundRow:
        """Begin a round; `run` carries it out.

        Args:
            canary: the first tenant; '' for the first by name.
            only: the tenants; () for all that have hosts of ours.
            once: the request, if it may be sent again.

        Raises:
            Conflict: `idempotency_conflict`; `round_running`; `round_empty`: no tenant has hosts of ours, or one that
                was named has none.
        """
        with self._unit_of_work() as uow:
            before = recalled(uow, once, RoundRow)
        if before is not None:  # whoever has left since
            return before
        tenants = self._order(canary, only)
        row = RoundRow(
            round_id=new_id(),
            kind=kind,
            request=dict(request),
            tenants=tenants,
            soak_seconds=soak_seconds,
            actor=actor,
            reason=reason,
            status=OperationStatus.RUNNING,
            started_at=self._clock.now(),
            ended_at=None,
            code="",
            stopped_at="",
        )
        with self._unit_of_work() as uow:
            before = recalled(uow, once, RoundRow)
            if before is not None:
                return before
            uow.rounds.add(row)
            kept(uow, once, row, self._clock)
            uow.commit()
        self._wake.set()
        return row

    def _order(self, canary: str, only: Sequence[str]) -> tuple[str, ...]:
        wanted = [name for name in self._there() if not only or name in only or name == canary]
        if not wanted or {*only, *([canary] if canary else [])} - set(wanted):
            raise Conflict(
                "round_empty",
                "A tenant that was named has no hosts of ours that stand, or none has.",
                "`tenant list` shows all; a plane that was attached by hand is made fresh by hand.",
            )
        first = canary or wanted[0]
        return (first, *(name for name in wanted if name != first))

    def stop(self, round_id: UUID) -> RoundRow:
        """Begin no further tenant's part; one that is under way goes on by itself.

        Raises:
            NotFound: `round_not_found`. Conflict: `round_ended`.
        """
        row = self.show(round_id)
        if row.status is not OperationStatus.RUNNING:
            raise Conflict("round_ended", "It has ended.", "Nothing to do.")
        return self._end(row, "round_stopped", self._at(row))

    def show(self, round_id: UUID) -> RoundRow:
        """One. Raises NotFound("round_not_found")."""
        with self._unit_of_work() as uow:
            row = uow.rounds.get(round_id)
        if row is None:
            raise NotFound("round_not_found", "There is no such delivery.", "`frostbyte deliver status` shows all.")
        return row

    def page(self, limit: int = 20) -> list[RoundRow]:
        """Newest first."""
        with self._unit_of_work() as uow:
            return uow.rounds.page(limit=limit)

    def operations(self, row: RoundRow) -> dict[str, OperationRow]:
        """What was begun, by tenant, in order."""
        found = ((tenant, self._operation(row, tenant)) for tenant in row.tenants)
        return {tenant: operation for tenant, operation in found if operation is not None}

    def run(self, stop: threading.Event) -> None:
        """Carry out what is under way, until the event is set."""
        while not stop.is_set():
            self._wake.clear()
            try:
                self.turn()
            except FrostbyteError as error:  # the registry is away
                _log.warning("round_waits", code=error.code)
            self._wake.wait(TURN_SECONDS)

    def turn(self) -> None:
        """Go one step further, if there is one to go."""
        with self._unit_of_work() as uow:
            row = uow.rounds.running()
        if row is None:
            return
        for tenant in row.tenants:
            operation = self._operation(row, tenant)
            if operation is None:
                if self._stands(tenant):
                    self._begin(row, tenant)
                    return
            elif operation.status is OperationStatus.RUNNING:
                return
            elif operation.status is OperationStatus.FAILED:
                self._end(row, operation.code, tenant)
                return
            elif tenant == row.tenants[0] and self._soaks(row, operation):
                return
        self._end(row, "", "")

    def _soaks(self, row: RoundRow, canary: OperationRow) -> bool:
        """Whether the canary is still looked at; one that is not well ends the round."""
        if any(self._operation(row, tenant) is not None for tenant in row.tenants[1:]):
            return False
        assert canary.ended_at is not None
        if self._clock.now() < canary.ended_at + timedelta(seconds=row.soak_seconds):
            return True
        code = self._trouble(canary.tenant_id)
        if code:
            _log.error("canary_unwell", tenant=canary.tenant_id, code=code)
            self._end(row, "canary_unwell", canary.tenant_id)
        return bool(code)

    def _begin(self, row: RoundRow, tenant: str) -> None:
        try:
            self._foreman.begin(
                tenant, row.kind, {**row.request, ROUND: str(row.round_id)}, actor=row.actor, reason=row.reason
            )
        except FrostbyteError as error:
            if error.code not in _WAITS:
                self._end(row, error.code, tenant)

    def _operation(self, row: RoundRow, tenant: str) -> OperationRow | None:
        with self._unit_of_work() as uow:
            page = uow.operations.page(tenant_id=tenant, limit=_LOOKED)
        return next((one for one in page if one.request.get(ROUND) == str(row.round_id)), None)

    def _stands(self, tenant: str) -> bool:
        """One that was taken down meanwhile is passed over."""
        with self._unit_of_work() as uow:
            found = uow.tenants.get(tenant)
        return found is not None and found.state in STANDS

    def _at(self, row: RoundRow) -> str:
        """The tenant that is under way, or the next one."""
        for tenant in row.tenants:
            operation = self._operation(row, tenant)
            if operation is None or operation.status is not OperationStatus.SUCCEEDED:
                return tenant
        return ""

    def _end(self, row: RoundRow, code: str, tenant: str) -> RoundRow:
        status = OperationStatus.FAILED if code else OperationStatus.SUCCEEDED
        ended = replace(row, status=status, ended_at=self._clock.now(), code=code, stopped_at=tenant)
        with self._unit_of_work() as uow:
            uow.rounds.end(ended)
            uow.commit()
        _log.info("round_ended", code=code or "ok", tenants=len(row.tenants))
        return ended
