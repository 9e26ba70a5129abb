"""A log out of the ledger as an auditor takes it away: the plane's own format, verified by the same file.

The ledger's cosignature stands on every checkpoint of the manifest, so `frostbyte audit verify --witness` shows that
the ledger saw that very history at that time.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from frostbyte.control_plane.ledger.ports import LedgerStore, LedgerUnitOfWork
from frostbyte.control_plane.ledger.records import LogRow, StepRow
from frostbyte.control_plane.ledger.tree import grown
from frostbyte.kernel.audit.checkpoint import read_checkpoint
from frostbyte.kernel.audit.export import EVENTS, FORMAT, LEAVES, MANIFEST, MAX_CHECKPOINTS
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, NotFound

PAGE: Final = 5000
"""Events read in one transaction."""

_BLOCK: Final = 1 << 20


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an export came to."""

    log: LogRow
    count: int
    size: int


class LedgerExporter:
    """Writes exports of the logs that the ledger holds.

    Args:
        store: the ledger's store.
        clock: for the manifest's date.
    """

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def write(self, folder: Path, tenant_id: str, *, log_key: str | None = None, first: int = 0) -> Exported:
        """Write the three files into an existing folder.

        Args:
            folder: where.
            tenant_id: whose log.
            log_key: which of the tenant's logs; None for the newest.
            first: number of the first event.

        Raises:
            NotFound: `log_not_found`.
            Conflict: `nothing_to_export`: no verified event from `first` on.
        """
        with self._store.unit_of_work() as uow:
            log = _chosen(uow, tenant_id, log_key)
            last = uow.last_step(log.log_id)
            if last is None or last.size <= first:
                raise Conflict(
                    "nothing_to_export", "No signed checkpoint covers these events.", "Try again in a few seconds."
                )
            prefix = _edge(uow, log.log_id, first)
        with (folder / EVENTS).open("wb") as events, (folder / LEAVES).open("wb") as leaves:
            body = self._events(log, events, leaves, first, last.size)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "tenant_id": tenant_id,
            "origin": read_checkpoint(last.note).origin,
            "public_key": log.log_key,
            "created_at": iso(self._clock.now()),
            **body,
            "tree": {"size": last.size, "root": last.root.hex()},
            "prefix": [value.hex() for value in prefix],
            "checkpoints": [row.note for row in self._checkpoints(log, first, last)],
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return Exported(log=log, count=body["count"], size=last.size)

    def tar(self, tenant_id: str, *, log_key: str | None = None, first: int = 0) -> Iterator[bytes]:
        """The export as a tar archive, block by block; the files wait on disk, not in memory.

        Raises:
            NotFound, Conflict: as `write`, with the first block.
        """
        with tempfile.TemporaryDirectory(prefix="frostbyte-ledger-") as name:
            folder = Path(name)
            self.write(folder, tenant_id, log_key=log_key, first=first)
            packed = folder / "export.tar"
            with tarfile.open(packed, "w") as archive:
                for file in (MANIFEST, EVENTS, LEAVES):
                    archive.add(folder / file, file)
                    (folder / file).unlink()
            with packed.open("rb") as whole:
                while block := whole.read(_BLOCK):
                    yield block

    def _events(self, log: LogRow, events: BinaryIO, leaves: BinaryIO, first: int, end: int) -> dict[str, Any]:
        of_events, of_leaves = hashlib.sha256(), hashlib.sha256()
        opening = closing = ""
        for at in range(first, end, PAGE):
            with self._store.unit_of_work() as uow:
                page = uow.range(log.log_id, at, min(at + PAGE, end))
            lines, hashes = b"".join(entry.line for entry in page), b"".join(entry.leaf for entry in page)
            events.write(lines)
            leaves.write(hashes)
            of_events.update(lines)
            of_leaves.update(hashes)
            opening, closing = opening or iso(page[0].timestamp), iso(page[-1].timestamp)
        return {
            "count": end - first,
            "sha256": of_events.hexdigest(),
            "leaves_sha256": of_leaves.hexdigest(),
            "range": {"first": first, "last": end - 1, "first_timestamp": opening, "last_timestamp": closing},
        }

    def _checkpoints(self, log: LogRow, first: int, last: StepRow) -> list[StepRow]:
        """Those over events of the range, thinned: dropping every other one whenever there are too many."""
        kept: list[StepRow] = []
        after, every, seen = first, 1, 0
        while after < last.size:
            with self._store.unit_of_work() as uow:
                page = uow.steps(log.log_id, after_size=after, limit=PAGE)
            for row in page:
                if row.size <= last.size and seen % every == 0:
                    kept.append(row)
                seen += 1
            while len(kept) >= MAX_CHECKPOINTS:
                kept, every = kept[::2], every * 2
            after = page[-1].size
        return kept if kept and kept[-1].size == last.size else [*kept, last]


def _chosen(uow: LedgerUnitOfWork, tenant_id: str, log_key: str | None) -> LogRow:
    logs = [log for log in uow.logs(tenant_id) if log_key in (None, log.log_key)]
    if not logs:
        raise NotFound(
            "log_not_found", "The ledger holds no such log.", "List what it holds: `frostbyte ledger status`."
        )
    return logs[-1]


def _edge(uow: LedgerUnitOfWork, log_id: int, size: int) -> list[bytes]:
    """The complete subtrees over the first `size` events: the nearest stored edge and the leaves after it."""
    below = uow.step_below(log_id, size)
    start, edge = (below.size, below.hashes) if below else (0, [])
    return grown(start, edge, [entry.leaf for entry in uow.range(log_id, start, size)])
