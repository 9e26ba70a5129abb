"""The log as files that an auditor takes away.

    audit_export.jsonl   one event a line: {"event": {...}, "sequence": n}, canonical JSON
    audit_leaves.bin     the leaf hashes of the same events, 32 bytes each, so that a verifier can name the line
    manifest.json        what the files hold, the checkpoints and the key's name

Written page by page, each page in a transaction of its own: the log only grows, so what was read stays true.
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

from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import event_fields, event_leaf
from frostbyte.kernel.audit.proofs import tree_lookup
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.unit_of_work import AuditUnitOfWork, AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, SequencedEvent

FORMAT: Final = "frostbyte-audit-export/1"
EVENTS: Final = "audit_export.jsonl"
LEAVES: Final = "audit_leaves.bin"
MANIFEST: Final = "manifest.json"

PAGE: Final = 1000
"""Events read in one transaction."""

MAX_CHECKPOINTS: Final = 1000
"""Checkpoints in a manifest at most; of more, evenly spaced ones and the newest are taken."""

_BLOCK: Final = 1 << 20


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What an export came to."""

    count: int
    checkpoint: CheckpointRow
    """The newest one in it, for the operator to keep."""
    last_timestamp: str
    """Of the newest event."""


class Exporter:
    """Writes exports of one plane's log.

    Args:
        unit_of_work: opens transactions.
        signer: the log's key, for its public part.
        tenant_id: whose log it is.
        clock: for the manifest's date.
    """

    def __init__(self, unit_of_work: AuditUnitOfWorkFactory, signer: Signer, tenant_id: str, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._signer = signer
        self._tenant_id = tenant_id
        self._clock = clock

    def write(self, folder: Path, *, first: int = 0) -> Written:
        """Write the three files into an existing folder.

        Everything from event number `first` up to the newest checkpoint is exported.

        Args:
            folder: where.
            first: number of the first event. A verifier that holds a checkpoint can compare it only with an export
                that begins at or before that checkpoint's size.

        Raises:
            Conflict: `nothing_to_export`: no checkpoint covers an event from `first` on.
        """
        with self._unit_of_work() as uow:
            latest = uow.audit.latest_checkpoint()
            if latest is None or latest.size <= first:
                raise Conflict(
                    "nothing_to_export", "No signed checkpoint covers these events.", "Try again in a few seconds."
                )
            prefix = self._prefix(uow, first)
        with (folder / EVENTS).open("wb") as events, (folder / LEAVES).open("wb") as leaves:
            body = self._events(events, leaves, first, latest.size)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "tenant_id": self._tenant_id,
            "origin": self._signer.origin,
            "public_key": self._signer.verifier_key,
            "created_at": iso(self._clock.now()),
            **body,
            "tree": {"size": latest.size, "root": latest.root.hex()},
            "prefix": [value.hex() for value in prefix],
            "checkpoints": [row.note for row in self._checkpoints(first, latest)],
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return Written(count=body["count"], checkpoint=latest, last_timestamp=body["range"]["last_timestamp"])

    def tar(self, *, first: int = 0) -> Iterator[bytes]:
        """The export as a tar archive, block by block; the files wait on disk, not in memory.

        Raises:
            Conflict: as `write`, with the first block.
        """
        with tempfile.TemporaryDirectory(prefix="frostbyte-export-") as folder:
            path = Path(folder)
            self.write(path, first=first)
            packed = path / "export.tar"
            with tarfile.open(packed, "w") as archive:
                for name in (MANIFEST, EVENTS, LEAVES):
                    archive.add(path / name, name)
                    (path / name).unlink()
            with packed.open("rb") as whole:
                while block := whole.read(_BLOCK):
                    yield block

    def _events(self, events: BinaryIO, leaves: BinaryIO, first: int, end: int) -> dict[str, Any]:
        """Write both files; returns what the manifest says of them."""
        of_events, of_leaves = hashlib.sha256(), hashlib.sha256()
        opening = closing = ""
        at = first
        while at < end:
            with self._unit_of_work() as uow:
                page = uow.audit.events(after_sequence=at - 1, limit=min(PAGE, end - at))
            if not page or page[0].sequence != at:
                raise Conflict(
                    "log_gap", "The stored log lacks an event.", "Stop using this plane and call support: see /ready."
                )
            lines = b"".join(map(line, page))
            hashes = b"".join(event_leaf(item.event) for item in page)
            events.write(lines)
            leaves.write(hashes)
            of_events.update(lines)
            of_leaves.update(hashes)
            opening = opening or iso(page[0].event.timestamp)
            closing = iso(page[-1].event.timestamp)
            at = page[-1].sequence + 1
        return {
            "count": end - first,
            "sha256": of_events.hexdigest(),
            "leaves_sha256": of_leaves.hexdigest(),
            "range": {"first": first, "last": end - 1, "first_timestamp": opening, "last_timestamp": closing},
        }

    @staticmethod
    def _prefix(uow: AuditUnitOfWork, first: int) -> list[bytes]:
        """The subtrees over the events before the range: with them its roots can be computed."""
        positions = merkle.pieces(0, first)
        nodes = tree_lookup(uow)(positions)
        return [nodes[position] for position in positions]

    def _checkpoints(self, first: int, latest: CheckpointRow) -> list[CheckpointRow]:
        """Those over events of the range, thinned: dropping every other one whenever there are too many."""
        kept: list[CheckpointRow] = []
        after, every, seen = first, 1, 0
        while after < latest.size:
            with self._unit_of_work() as uow:
                page = [row for row in uow.audit.checkpoints(after_size=after, limit=PAGE) if row.size <= latest.size]
            if not page:
                break
            for row in page:
                if seen % every == 0:
                    kept.append(row)
                seen += 1
            while len(kept) >= MAX_CHECKPOINTS:
                kept, every = kept[::2], every * 2
            after = page[-1].size
        return kept if kept and kept[-1].size == latest.size else [*kept, latest]


def line(item: SequencedEvent) -> bytes:
    """An event as a line of an export."""
    return canonical({"event": event_fields(item.event), "sequence": item.sequence}) + b"\n"


def kept_checkpoint(note: str, last_timestamp: str) -> str:
    """What an operator keeps to recognise a cut, reset or forked log later: the note and when its last event was.

    The comment line lets a verifier tell a log that was cut from one that was set back and went on.
    """
    return f"# last event: {last_timestamp}\n{note}"
