"""A plane at a glance: what it has, what waits for somebody, how much room is left, and how far its log is signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from frostbyte.data_plane.serve.batches import Waits
from frostbyte.data_plane.serve.lists import UNDER_WAY
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.formats import FORMATS
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import State
from frostbyte.kernel.tenancy import TenantConfig

GIB: Final = 1 << 30
MIB: Final = 1 << 20


class Overview:
    """Sums over the whole plane. Who may see only their own uploads is not shown them.

    Args:
        config: the configuration in force.
        waits: why no document goes on now; None while they do.
    """

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        config: Callable[[], TenantConfig],
        waits: Waits = lambda: None,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._config = config
        self._waits = waits

    def show(self) -> dict[str, Any]:
        """Documents by state, what is to be decided, storage against quota, and the log."""
        quota = self._config().storage_quota_gb * GIB
        with self._unit_of_work(reading=True) as uow:
            tallies = uow.documents.tally()
            review = uow.listing.to_review()
            stored = uow.documents.stored_bytes()
            log = _log(uow)
        states, waiting = Counter[str](), Counter[str]()
        waits = self._waits()
        for tally in tallies:
            held = waits is not None and tally.state in UNDER_WAY
            states[State.WAITING.value if held else tally.state.value] += tally.count
            if held or tally.state is State.WAITING:
                waiting[waits.code if held and waits is not None else tally.code] += tally.count
        return {
            "documents": {state.value: states[state.value] for state in State},
            "waiting": dict(waiting.most_common()),
            "unscanned": sum(tally.count for tally in tallies if tally.unscanned),
            "review": {"documents": review.documents, "passages": review.passages},
            "storage": storage(stored, quota),
            "log": log,
        }

    def limits(self) -> dict[str, Any]:
        """What an upload may be: bytes a file, files an upload, and which formats; said before anything is sent."""
        config = self._config()
        return {
            "file_bytes": config.max_file_size_mb * MIB,
            "files": config.max_batch_size,
            "formats": sorted(FORMATS[mime] for mime in config.mime_allowlist),
        }

    def room(self) -> dict[str, Any]:
        """Storage against quota."""
        with self._unit_of_work(reading=True) as uow:
            stored = uow.documents.stored_bytes()
        return storage(stored, self._config().storage_quota_gb * GIB)


def storage(stored: int, quota: int) -> dict[str, Any]:
    """How much of the quota is used, in bytes and as a share from 0 to 1; more may be stored than a lowered quota."""
    return {"bytes": stored, "quota": quota, "left": max(quota - stored, 0), "share": min(stored / quota, 1.0)}


def _log(uow: UnitOfWork) -> dict[str, Any]:
    latest = uow.audit.latest_checkpoint()
    signatures = [line for line in latest.note.splitlines() if line.startswith("\u2014 ")] if latest else []
    return {
        "events": uow.audit.log_size(),
        "signed": latest.size if latest else 0,
        "signed_at": iso(latest.created_at) if latest else None,
        "witnesses": [line.split(" ")[1] for line in signatures[1:]],
    }
