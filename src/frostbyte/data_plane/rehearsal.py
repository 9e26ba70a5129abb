"""A trial restore: what a backup says that it holds is put back into a scratch place, looked at, and thrown away.

Tried as a whole: the snapshot's list, the mirror, the rows of the database (into a schema of its own, with every
constraint of the real one), the log (each hash of its tree computed anew from its events), that every document has its
key, and that every pack is there. Read and compared as a whole: every pack that this run stored, and a part of the
others that is another each time, so that each is read again within `TURNS` runs. Opened with their keys, down to the
text: the newest documents and some by chance.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

from frostbyte.data_plane import artefacts, embed, policy
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.data_plane.lifecycle.backed import BackedPlane
from frostbyte.data_plane.restore import check_logs
from frostbyte.data_plane.sources import Source
from frostbyte.kernel.backup import packs
from frostbyte.kernel.backup.repository import Repository, Snapshot, Verdict
from frostbyte.kernel.backup.target import damaged
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.restoration import Restorations
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentRow, State
from frostbyte.kernel.vault import TenantKeys, Vault

TURNS: Final = 16
"""Runs within which every pack is read."""
NEWEST: Final = 20
CHANCE: Final = 30
"""Documents that are opened: of the newest, and by chance."""
_LARGE: Final = 32 << 20
"""Bytes of a file above which its document is not opened, but compared pack by pack alone: it is held in memory."""

Progress = Callable[[str, int, int], None]


class Rehearsal:
    """Tries snapshots of one plane.

    Args:
        tenant_id: whose.
        restorations: of its database, with a scratch schema.
        scratch: makes an empty store for the objects of one document.
        keys: the tenant's.
        clock: for dates.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        restorations: Restorations,
        scratch: Callable[[], BlobStore],
        keys: TenantKeys,
        clock: Clock,
    ) -> None:
        self._tenant_id, self._restorations, self._scratch = tenant_id, restorations, scratch
        self._keys, self._clock = keys, clock

    def run(
        self,
        repository: Repository,
        snapshot: Snapshot,
        *,
        whole: bool = False,
        progress: Progress = lambda what, done, total: None,
    ) -> Verdict:
        """Try it, and keep the verdict beside it.

        Args:
            whole: read every pack and open every document.

        Raises:
            Unavailable: the target or the database cannot be used now: that says nothing of the backup.
        """
        started = time.monotonic()
        facts: dict[str, Any] = {}
        code = ""
        try:
            self._try(repository, snapshot, facts, whole=whole, progress=progress)
        except Invalid as error:
            code = error.code
        verdict = Verdict(
            at=iso(self._clock.now()),
            ok=not code,
            code=code,
            seconds=round(time.monotonic() - started, 3),
            facts=facts,
        )
        repository.judge(snapshot.name, verdict)
        return verdict

    def _try(
        self, repository: Repository, snapshot: Snapshot, facts: dict[str, Any], *, whole: bool, progress: Progress
    ) -> None:
        source = BackedPlane(repository, snapshot, keys=self._keys)
        if source.head.tenant_id != self._tenant_id:
            raise damaged("a snapshot's head")
        facts["documents"], facts["keys"] = len(source.documents), len(source.mirrored)
        facts["packs"] = _packs(repository, snapshot, whole=whole, progress=progress)
        with self._restorations.rehearse() as restoration:
            restoration.load(source.head, _told(source, progress))
            check_logs(restoration.uow, source.head, progress)
            facts["events"] = source.head.log_size
            chosen = self._chosen(source, restoration.uow, whole=whole)
            for done, row in enumerate(chosen, 1):
                self._open(source, restoration.uow, row)
                progress("opened", done, len(chosen))
            facts["opened"] = len(chosen)

    def _chosen(self, source: BackedPlane, uow: UnitOfWork, *, whole: bool) -> list[DocumentRow]:
        """Documents to be opened; on the way it is seen that the catalog has each of the database, and no other."""
        rows: list[DocumentRow] = []
        after: UUID | None = None
        while page := uow.documents.page(after=after, limit=1000):
            rows += [row for row in page if row.state is not State.ERASED]
            after = page[-1].doc_id
        erased = {row.doc_id.bytes for row in source.erased()}
        gone = {row.doc_id.bytes for row in rows} ^ source.documents.keys()
        if gone - erased:
            raise damaged("a document of the catalog, or of the database,")
        here = [row for row in rows if row.doc_id.bytes not in erased and row.size <= _LARGE]
        if whole:
            return here
        newest = sorted(here, key=lambda row: row.received_at)[-NEWEST:]
        taken = {row.doc_id for row in newest}
        others = [row for row in here if row.doc_id not in taken]
        return newest + random.sample(others, min(CHANCE, len(others)))

    def _open(self, source: BackedPlane, uow: UnitOfWork, row: DocumentRow) -> None:
        """Restore one document into a store of its own, and read it as a plane does. Raises Invalid."""
        blobs = self._scratch()
        for name, _, blocks in source.bundle(source.documents[row.doc_id.bytes]):
            with blobs.writer(name) as writer:
                for block in blocks:
                    writer.write(block)
                writer.commit()
        blobs.put(row.key_object, source.mirrored[row.key_object])
        vault = Vault(blobs, self._keys)
        try:
            key = vault.load_key(row.key_object)
            for _ in vault.stream(row.raw_object, key):
                pass
            if row.active_generation:
                _read(Artefacts(vault), uow, row, key)
        except FrostbyteError as error:
            if isinstance(error, Invalid | Unavailable):  # the second says nothing of the backup
                raise
            raise damaged("a document in it") from error


def _read(kept: Artefacts, uow: UnitOfWork, row: DocumentRow, key: Any) -> None:
    cleared = policy.load_cleared(kept.get(row, row.active_generation, artefacts.CLEARED, key))
    vectors = embed.decode(kept.get(row, row.active_generation, artefacts.VECTORS, key))
    chunks = uow.chunks.of_document(row.doc_id, row.active_generation)
    kept.view(row, key)
    kept.get(row, row.active_generation, artefacts.DOCUMENT, key)
    for chunk in chunks:
        kept.chunk(row, chunk)
    if len(vectors) != len(cleared.chunks) or len(chunks) != len(cleared.chunks) + len(cleared.withheld):
        raise damaged("a document in it")


def _packs(repository: Repository, snapshot: Snapshot, *, whole: bool, progress: Progress) -> int:
    """See that every pack is there, and read those whose turn it is; how many were read. Raises Invalid."""
    there = set(packs.listed(repository.target))
    if not there.issuperset(snapshot.packs):
        raise damaged("a pack")
    names = repository.snapshots()
    place = names.index(snapshot.name)
    before = set(repository.snapshot(names[place - 1]).packs) if place else set()
    turn = int(snapshot.taken_at[8:10]) % TURNS
    due = [pack for pack in snapshot.packs if whole or pack not in before or pack[0] % TURNS == turn]
    for done, pack in enumerate(due, 1):
        packs.body(repository.target, repository.key, pack)
        progress("packs", done, len(due))
    return len(due)


def _told(source: Source, progress: Progress) -> Iterable[tuple[str, Any]]:
    for done, (table, rows) in enumerate(source.rows(), 1):
        progress("tables", done, 0)
        yield table, rows
