"""An offline plane's export joins the ledger: verified like a pull, continued or found identical, never replaced.

The export is read as if it were the plane's channel. What the ledger holds already is compared leaf by leaf; a
difference is a fork, kept as an alert with both signed notes and both lines.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.lines import MAX_LINE, read_line
from frostbyte.control_plane.ledger.pull import ASKED, Followed, Puller
from frostbyte.control_plane.ledger.records import Finding, LogRow
from frostbyte.control_plane.ledger.verify import Problem, Verified, judge_checkpoints, rewritten
from frostbyte.kernel.audit.checkpoint import public_key
from frostbyte.kernel.audit.export import EVENTS, FORMAT, LEAVES, MANIFEST, MAX_CHECKPOINTS
from frostbyte.kernel.audit.merkle import leaf_hash
from frostbyte.kernel.errors import Conflict, Invalid

MAX_MANIFEST: Final = 16 << 20
"""Bytes: a thousand notes of 16 KiB at most."""

MAX_UNPACKED: Final = 16 << 30
"""Bytes of an archive's files together: about twenty million events."""


class _Range(msgspec.Struct):
    first: int
    last: int


class _Manifest(msgspec.Struct):
    """What an import needs of a manifest; all of it is checked against the events and the pinned key."""

    format: str
    tenant_id: str
    public_key: str
    range: _Range
    checkpoints: list[str]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to."""

    log_id: int
    identical: int
    """Events that the ledger held already, compared leaf by leaf."""
    added: int
    size: int
    """Of the verified log afterwards."""
    finding: Finding | None
    """What was found; then nothing was added from there on."""


@dataclass(frozen=True)
class _Shown:
    checkpoints: tuple[str, ...]
    latest: str | None


class ExportSource:
    """An export in a folder as a source of events. See control_plane.ledger.pull.Source.

    Raises:
        Invalid: `export_unreadable`.
    """

    def __init__(self, folder: Path) -> None:
        try:
            if (folder / MANIFEST).stat().st_size > MAX_MANIFEST:
                raise _unreadable()
            self.manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Manifest)
            self._file = (folder / EVENTS).open("rb")
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable() from error
        first, last = self.manifest.range.first, self.manifest.range.last
        if (
            self.manifest.format != FORMAT
            or len(self.manifest.checkpoints) > MAX_CHECKPOINTS + 1
            or not 0 <= first <= last
        ):
            raise _unreadable()
        self._at = first

    def events(self, after: int, limit: int) -> bytes:
        """See the protocol. Cheap where asked for in order."""
        if after + 1 < self._at:
            self._file.seek(0)
            self._at = self.manifest.range.first
        while self._at < after + 1 and self._file.readline(MAX_LINE + 2):
            self._at += 1
        found = _lines(self._file, limit)
        self._at += len(found)
        return b"".join(found)

    def checkpoints(self, after_size: int) -> _Shown:
        """See the protocol: all that the manifest has, for it has not more than a plane shows at once."""
        notes = self.manifest.checkpoints
        return _Shown(tuple(notes), notes[-1] if notes else None)

    def cosign(self, size: int, line: str) -> None:
        """Nobody is there to take it: the ledger's own export carries it."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Importer:
    """Takes exports in.

    Args:
        keeping: the ledger's records.
        puller: verifies and stores, as for a plane.
    """

    def __init__(self, keeping: Keeping, puller: Puller) -> None:
        self._keeping, self._puller = keeping, puller

    def take(self, folder: Path, tenant_id: str, log_key: str, actor: str) -> Imported:
        """Verify an export and store what is new in it.

        Args:
            folder: its three files.
            tenant_id: whose export it must be.
            log_key: the log's verifier key, received by another way than the export.
            actor: who imports it.

        Raises:
            Invalid: `export_unreadable`; `export_foreign`: of another tenant or log; `verifier_key_invalid`.
            Conflict: `export_has_gap`: it begins behind what the ledger holds; `log_stopped`: an alert of this log is
                open; `ledger_moved`.
        """
        key = public_key(log_key)
        source = ExportSource(folder)
        try:
            if (source.manifest.tenant_id, source.manifest.public_key.strip()) != (tenant_id, str(key)):
                raise Invalid(
                    "export_foreign",
                    "The export is of another tenant, or of a log with another key.",
                    "Check the tenant's id and the key, which come by another way than the export.",
                )
            imported = self._take(source, Followed(tenant_id=tenant_id, log_key=str(key), active=False))
            self._keeping.note_import(tenant_id, imported.added, imported.size, actor)
            return imported
        finally:
            source.close()

    def _take(self, source: ExportSource, plane: Followed) -> Imported:
        state = self._keeping.state(plane.tenant_id, plane.log_key)
        if state.stopped is not None:
            raise Conflict(
                "log_stopped",
                f"An alert of this log is open ({state.stopped.value}).",
                "Look into it, then acknowledge it: `frostbyte ledger acknowledge`.",
            )
        first, held = source.manifest.range.first, state.verified.size
        if first > held:
            raise Conflict(
                "export_has_gap",
                f"The export begins with event {first}, and the ledger holds {held}.",
                "Import the export before it first, or export again from an earlier number.",
            )
        problem = self._contradiction(source, state.verified, plane)
        identical = min(held, source.manifest.range.last + 1) - first
        problem = problem or self._compare(source, state.log, state.verified, first, first + identical)
        if problem is not None:
            self._keeping.raise_alert(state.log, held, problem)
            return Imported(log_id=state.log.log_id, identical=0, added=0, size=held, finding=problem.finding)
        if source.manifest.range.last < held:
            return Imported(log_id=state.log.log_id, identical=identical, added=0, size=held, finding=None)
        added = 0
        while (pulled := self._puller.pull(plane, source)).more:
            added += pulled.events
        if pulled.code:
            raise Conflict("ledger_moved", "The ledger has gone on with this log meanwhile.", "Try again.")
        return Imported(
            log_id=pulled.log_id,
            identical=identical,
            added=added + pulled.events,
            size=pulled.size,
            finding=pulled.finding,
        )

    @staticmethod
    def _contradiction(source: ExportSource, verified: Verified, plane: Followed) -> Problem | None:
        """What is wrong with its checkpoints. That they are older than the ledger's is not: it may be an old export."""
        judged = judge_checkpoints(public_key(plane.log_key), verified, source.manifest.checkpoints, None)
        return judged if isinstance(judged, Problem) and judged.finding is not Finding.ROLLBACK else None

    def _compare(self, source: ExportSource, log: LogRow, verified: Verified, start: int, end: int) -> Problem | None:
        """Compare what the ledger holds with what the export says."""
        for at in range(start, end, ASKED):
            lines = source.events(at - 1, min(ASKED, end - at)).splitlines(keepends=True)
            leaves = [_leaf(line) for line in lines]
            found = self._keeping.differs(log, at, leaves)
            if found is None and len(lines) == min(ASKED, end - at):
                continue
            number, kept = found or (at + len(lines), b"")
            shown = lines[number - at] if number - at < len(lines) else b""
            notes = "\n".join([verified.note, *source.manifest.checkpoints[-1:]]).encode()
            told = Problem(finding=Finding.FORK, position=number, message="", evidence=notes)
            return rewritten(told, number, kept, shown)
        return None


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """A folder with the files of an export's tar archive: those three, plain files, of bounded size.

    Raises:
        Invalid: `export_unreadable`.
    """
    with tempfile.TemporaryDirectory(prefix="frostbyte-import-", dir=archive.parent) as name:
        left = MAX_UNPACKED
        try:
            with tarfile.open(archive, "r:") as packed:
                for member in packed:
                    file = packed.extractfile(member) if member.isreg() else None
                    left -= member.size
                    if member.name not in (EVENTS, LEAVES, MANIFEST) or file is None or left < 0:
                        raise _unreadable()
                    with (Path(name) / member.name).open("xb") as out:
                        shutil.copyfileobj(file, out, 1 << 20)
        except (OSError, tarfile.TarError) as error:
            raise _unreadable() from error
        yield Path(name)


def _leaf(line: bytes) -> bytes:
    """The leaf of a line; of none where it is no event line."""
    read = read_line(line.rstrip(b"\n"))
    if read is None:
        return b""
    return leaf_hash(line[len(b'{"event":') : -len(b',"sequence":%d}\n' % read.sequence)])


def _lines(file: BinaryIO, limit: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < limit and (line := file.readline(MAX_LINE + 2)):
        found.append(line)
    return found


def _unreadable() -> Invalid:
    return Invalid(
        "export_unreadable",
        "This is not an audit export that can be read.",
        "Give the folder or archive as `frostbyte audit export` wrote it.",
    )
