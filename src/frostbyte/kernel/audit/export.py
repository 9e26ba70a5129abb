"""The log as files that an auditor takes away.

    audit_export.jsonl   one event a line: {"event": {...}, "sequence": n}, canonical JSON
    audit_leaves.bin     the leaf hashes of the same events, 32 bytes each, so that a verifier can name the line
    manifest.json        what the files hold, the checkpoints and the key's name, and which logs came before this one

Read page by page, each page in a transaction of its own: the log only grows, so what was read stays true. It is read
twice, once for what the manifest says and once for the events, so that nothing has to keep all of it meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from frostbyte.kernel.audit import logs, merkle
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import event_fields
from frostbyte.kernel.audit.merkle import leaf_hash
from frostbyte.kernel.audit.proofs import tree_lookup
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.unit_of_work import AuditLog, AuditUnitOfWork, AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, EndedLogRow, SequencedEvent

FORMAT: Final = "frostbyte-audit-export/1"
EVENTS: Final = "audit_export.jsonl"
LEAVES: Final = "audit_leaves.bin"
MANIFEST: Final = "manifest.json"

PAGE: Final = 1000
"""Events read in one transaction."""

MAX_CHECKPOINTS: Final = 1000
"""Checkpoints in a manifest at most; of more, evenly spaced ones and the newest are taken."""

LEAF: Final = 32
"""Bytes of a leaf hash."""

_BLOCK: Final = 1 << 20


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What an export came to."""

    count: int
    checkpoint: CheckpointRow
    """The newest one in it, for the operator to keep."""
    last_timestamp: str
    """Of the newest event."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """An export that is ready to be written.

    Attributes:
        files: name, bytes and content of each, to be read once, in this order.
    """

    files: tuple[tuple[str, int, Iterator[bytes]], ...]
    written: Written


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

    def write(self, folder: Path, *, first: int = 0, log: int | None = None) -> Written:
        """Write the three files into an existing folder.

        Everything from event number `first` up to the newest checkpoint is exported.

        Args:
            folder: where.
            log: number of the log, of a plane that has several; None for the one that grows.
            first: number of the first event. A verifier that holds a checkpoint can compare it only with an export
                that begins at or before that checkpoint's size.

        Raises:
            Conflict: `nothing_to_export`: no checkpoint covers an event from `first` on.
            NotFound: `plane_log_not_found`.
        """
        export = self.begin(first=first, log=log)
        for name, _, blocks in export.files:
            with (folder / name).open("wb") as file:
                file.writelines(blocks)
        return export.written

    def tar(self, *, first: int = 0, log: int | None = None) -> Iterator[bytes]:
        """The export as a tar archive, block by block: neither memory nor disk ever holds all of it.

        Raises:
            Conflict, NotFound: as `write`, with the first block.
        """
        for name, size, blocks in self.begin(first=first, log=log).files:
            told = tarfile.TarInfo(name)
            told.size = size
            yield told.tobuf(tarfile.PAX_FORMAT)
            yield from blocks
            yield bytes(-size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def begin(self, *, first: int = 0, log: int | None = None, until: CheckpointRow | None = None) -> Export:
        """Read the log once, so that it is known what its files will be, and be ready to give them.

        Args:
            first, log: as for `write`.
            until: the checkpoint to end at; None for the newest.

        Raises:
            Conflict, NotFound: as `write`.
        """
        with self._unit_of_work() as uow:
            chosen, ended = logs.chosen(uow.audit, log)
            number = log if ended is not None else None
            earlier = uow.audit.ended()[:log]
            end = until or chosen.latest_checkpoint()
            if end is None or end.size <= first:
                raise Conflict(
                    "nothing_to_export", "No signed checkpoint covers these events.", "Try again in a few seconds."
                )
            prefix = self._prefix(chosen, first)
        read = _Read(self._pages(number, first, end.size))
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "tenant_id": self._tenant_id,
            "origin": self._signer.origin if ended is None else ended.origin,
            "public_key": self._signer.verifier_key if ended is None else ended.public_key,
            "created_at": iso(self._clock.now()),
            "count": end.size - first,
            "sha256": read.events.hexdigest(),
            "leaves_sha256": read.hashes.hexdigest(),
            "range": {
                "first": first,
                "last": end.size - 1,
                "first_timestamp": read.opening,
                "last_timestamp": read.closing,
            },
            "tree": {"size": end.size, "root": end.root.hex()},
            "prefix": [value.hex() for value in prefix],
            "checkpoints": [row.note for row in self._checkpoints(number, first, end)],
            **({"earlier": [_told(row) for row in earlier]} if earlier else {}),
        }
        said = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
        return Export(
            files=(
                (MANIFEST, len(said), iter((said,))),
                (EVENTS, read.size, self._pages(number, first, end.size)),
                (LEAVES, LEAF * (end.size - first), read.leaves()),
            ),
            written=Written(count=end.size - first, checkpoint=end, last_timestamp=read.closing),
        )

    def _pages(self, log: int | None, first: int, end: int) -> Iterator[bytes]:
        """The lines of the events file, page by page."""
        at = first
        while at < end:
            with self._unit_of_work() as uow:
                lines = _of(uow, log).lines(after_sequence=at - 1, until=end, limit=min(PAGE, end - at))
            for line in lines:
                if not line.endswith(_closing(at)):
                    break
                at += 1
            else:
                if lines:
                    yield b"".join(lines)
                    continue
            raise Conflict(
                "log_gap", "The stored log lacks an event.", "Stop using this plane and call support: see /ready."
            )

    @staticmethod
    def _prefix(log: AuditLog, first: int) -> list[bytes]:
        """The subtrees over the events before the range: with them its roots can be computed."""
        positions = merkle.pieces(0, first)
        nodes = tree_lookup(log)(positions)
        return [nodes[position] for position in positions]

    def _checkpoints(self, log: int | None, first: int, latest: CheckpointRow) -> list[CheckpointRow]:
        """Those over events of the range, thinned: dropping every other one whenever there are too many."""
        kept: list[CheckpointRow] = []
        after, every, seen = first, 1, 0
        while after < latest.size:
            with self._unit_of_work() as uow:
                page = [
                    row for row in _of(uow, log).checkpoints(after_size=after, limit=PAGE) if row.size <= latest.size
                ]
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


def _of(uow: AuditUnitOfWork, log: int | None) -> AuditLog:
    return uow.audit if log is None else uow.audit.of(log)


def _told(row: EndedLogRow) -> dict[str, Any]:
    """What a manifest says of a log before the exported one."""
    return {"log": row.log, "origin": row.origin, "public_key": row.public_key, "checkpoint": row.note}


class _Read:
    """What the lines of an export come to: sums, length, the times of the first and the last, and the leaf hashes."""

    def __init__(self, pages: Iterator[bytes]) -> None:
        self.events, self.hashes, self.size = hashlib.sha256(), hashlib.sha256(), 0
        self._leaves = tempfile.SpooledTemporaryFile(max_size=_BLOCK * 8)  # noqa: SIM115 - as long as this
        first = last = b""
        for page in pages:
            lines = page.splitlines()
            first, last = first or lines[0], lines[-1]
            leaves = b"".join(leaf_hash(line[len(_OPENING) : line.rindex(_NUMBER)]) for line in lines)
            self._leaves.write(leaves)
            self.events.update(page)
            self.hashes.update(leaves)
            self.size += len(page)
        self.opening, self.closing = (str(json.loads(line)["event"]["timestamp"]) for line in (first, last))

    def leaves(self) -> Iterator[bytes]:
        """The leaf hashes, once."""
        with self._leaves as file:
            file.seek(0)
            while block := file.read(_BLOCK):
                yield block


_OPENING: Final = b'{"event":'
_NUMBER: Final = b',"sequence":'


def _closing(sequence: int) -> bytes:
    return b"%b%d}\n" % (_NUMBER, sequence)


def line(item: SequencedEvent) -> bytes:
    """An event as a line of an export."""
    return canonical({"event": event_fields(item.event), "sequence": item.sequence}) + b"\n"


def kept_checkpoint(note: str, last_timestamp: str) -> str:
    """What an operator keeps to recognise a cut, reset or forked log later: the note and when its last event was.

    The comment line lets a verifier tell a log that was cut from one that was set back and went on.
    """
    return f"# last event: {last_timestamp}\n{note}"
