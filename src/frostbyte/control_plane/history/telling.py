"""A tenant's history: its events in the control plane's audit, its operations, and what its plane's log says of it.

Nothing of it is stored for itself: what is told is what the audit and the operations hold now, so it cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec

from frostbyte.control_plane.history.line import Line
from frostbyte.control_plane.history.operations import length, lines
from frostbyte.control_plane.history.sentences import IN_VAIN, OF_CONTROL, OF_PLANE, THINGS, failed, sentence
from frostbyte.control_plane.registry.changes import ITSELF, found
from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.records import EventRow

PAGE: Final = 100
_EVENTS_A_LINE: Final = 8
"""A sentence may be several events: more are read than lines are wanted, so that few pages are shorter."""
_TROUBLES: Final = frozenset(
    {EventType.TENANT_PROVISION_FAILED, EventType.TENANT_DEPROVISION_FAILED, EventType.LEDGER_FINDING}
)
"""Events whose code says what went wrong."""

PlaneEvents = Callable[[str, Sequence[str], datetime | None, datetime, int], list[EventRow]]
"""Of a tenant, of these types, from a moment on and before another, the newest so many: as the ledger holds them."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a history, oldest line first."""

    lines: tuple[Line, ...]
    before: datetime | None
    """There is more, before this moment; None for all of it."""


class History:
    """Tells what happened.

    Args:
        unit_of_work: the registry's.
        plane_events: where planes' logs are kept; None for nowhere.
    """

    def __init__(self, unit_of_work: RegistryFactory, clock: Clock, plane_events: PlaneEvents | None = None) -> None:
        self._unit_of_work, self._clock, self._plane_events = unit_of_work, clock, plane_events

    def tell(
        self,
        tenant_id: str,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 50,
        plane: bool = False,
    ) -> Told:
        """The newest lines of a tenant, or of the control plane itself (`ITSELF`).

        Args:
            since: nothing older is told.
            before: nothing of this moment or later is told; None for now.
            limit: lines at most, but for those of one moment, which are never parted.
            plane: what its plane's log says, too.

        Raises:
            NotFound: `tenant_not_found`.
        """
        now = self._clock.now()
        end = before or now + timedelta(seconds=1)
        most = limit * _EVENTS_A_LINE + 1
        with self._unit_of_work() as uow:
            if tenant_id != ITSELF:
                found(uow, tenant_id)
            events = uow.audit.newest(tenant_id, since=since, before=end, limit=most)
            cut = _cut(events, most)
            told = self._of_registry(uow, tenant_id, events, cut or since, now)
        if plane and self._plane_events is not None and tenant_id != ITSELF:
            theirs = self._plane_events(tenant_id, [each.value for each in OF_PLANE], since, end, most)
            cut = max((moment for moment in (cut, _cut(theirs, most)) if moment), default=None)
            told += _of_events(theirs, {}, of_plane=True)
        # Before the moment where something was cut off, operations are not told without their events either.
        within = [line for line in told if (since is None or line.at >= since) and line.at < end]
        whole = [line for line in within if cut is None or line.at > cut] or within
        return _part(sorted(whole, key=lambda line: line.at), limit, more=cut is not None)

    def _of_registry(
        self, uow: RegistryUnitOfWork, tenant_id: str, events: Sequence[EventRow], floor: datetime | None, now: datetime
    ) -> list[Line]:
        ends = {str(event.details.get("operation_id")) for event in events if event.type in IN_VAIN}
        told, lengths = list[Line](), dict[str, str]()
        for row in _operations(uow, tenant_id, floor):
            ended = str(row.operation_id) in ends
            if ended and row.ended_at is not None:
                lengths[str(row.operation_id)] = length(row, row.ended_at)
            told += lines(row, uow.operations.steps(row.operation_id), now, ended=ended)
        return [*_of_events(events, lengths), *told]  # of one moment, the decision before what came of it


def _operations(uow: RegistryUnitOfWork, tenant_id: str, floor: datetime | None) -> Iterator[OperationRow]:
    """Newest first, page by page, until a whole page had ended before `floor`."""
    before = None
    while page := uow.operations.page(tenant_id=tenant_id, before=before, limit=PAGE):
        yield from page
        if floor is not None and all(row.ended_at is not None and row.ended_at < floor for row in page):
            return
        before = page[-1].operation_id


def _of_events(events: Sequence[EventRow], lengths: Mapping[str, str], *, of_plane: bool = False) -> Iterator[Line]:
    """Newest first in. A type of which nothing is told is left out, as of a plane that is newer than this.

    Args:
        lengths: how long operations took whose end an event tells.
    """
    known = OF_PLANE if of_plane else OF_CONTROL
    told = [event for event in reversed(events) if event.type in known]

    def together(event: EventRow) -> object:
        return (event.type, event.actor) if event.type in THINGS else event.event_id

    for _, group in groupby(told, key=together):
        each = list(group)
        last = each[-1]
        said = sentence(each, of_plane=of_plane)
        if took := lengths.get(str(last.details.get("operation_id"))) if last.type in IN_VAIN else "":
            said += f" It took {took}."
        trouble = last.type in _TROUBLES or failed(last)
        code = str(last.details.get("code", "")) if trouble else ""
        yield Line(at=last.timestamp, sentence=said, of=last.type, id=str(last.event_id), code=code)


def _cut(events: Sequence[EventRow], most: int) -> datetime | None:
    """Up to which moment there may be more than was read; None for nothing."""
    return events[-1].timestamp if len(events) == most else None


def _part(lines: list[Line], limit: int, *, more: bool) -> Told:
    first = max(len(lines) - limit, 0)
    while first > 0 and lines[first - 1].at == lines[first].at:
        first -= 1
    taken = lines[first:]
    return Told(lines=tuple(taken), before=taken[0].at if taken and (more or first > 0) else None)
