"""The wiring of receipts: what they are signed with, and what the ledger holds of a tenant in the end."""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.ledger.ports import LedgerStore, Query
from frostbyte.control_plane.ledger.records import LogRow
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.receipt import LogEnd
from frostbyte.control_plane.provisioning.receipts import LogEnds, Receipts
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock, iso

_PAGE: Final = 1000


def receipts(unit_of_work: ProvisioningFactory, signer: Signer, ledger: LedgerStore | None, clock: Clock) -> Receipts:
    """Receipts by the control plane's own log key.

    Args:
        ledger: None for a control plane that follows no log.
    """
    return Receipts(unit_of_work, signer, log_ends(ledger), clock)


def log_ends(ledger: LedgerStore | None) -> LogEnds:
    """How far each log of a tenant is verified, and how often an original was handed out by it."""

    def ends(tenant_id: str) -> list[LogEnd]:
        if ledger is None:
            return []
        with ledger.unit_of_work() as uow:
            logs = uow.logs(tenant_id)
        return [_end(ledger, log) for log in logs]

    return ends


def _end(ledger: LedgerStore, log: LogRow) -> LogEnd:
    reads, last, after = 0, "", (-1, -1)
    query = Query(log_ids=(log.log_id,), type=EventType.SOURCE_READ)
    with ledger.unit_of_work() as uow:
        step = uow.last_step(log.log_id)
        while page := uow.events(query, after=after, limit=_PAGE):
            reads += len(page)
            last = iso(page[-1].entry.timestamp)
            after = (page[-1].log_id, page[-1].entry.sequence)
    return LogEnd(
        log_key=log.log_key,
        size=step.size if step else 0,
        root=step.root.hex() if step else "",
        checkpoint=step.note if step else "",
        sources_read=reads,
        last_source_at=last,
    )
