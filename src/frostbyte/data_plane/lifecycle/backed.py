"""A snapshot of a backup, as what a plane is restored from.

Keys come from the mirror, in their latest state, and with them what was erased since. Objects come in the order of the
packs, so that each pack is fetched once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.lifecycle import catalog
from frostbyte.data_plane.lifecycle.catalog import Bundle, Found
from frostbyte.data_plane.lifecycle.mirroring import TENANT, erasures_in
from frostbyte.data_plane.sources import Brought, tenant_secrets
from frostbyte.kernel.archive.contents import DATABASE, ErasedSince, Head, Tail
from frostbyte.kernel.archive.file import HEAD
from frostbyte.kernel.backup.mirror import Mirror
from frostbyte.kernel.backup.repository import Repository, Snapshot
from frostbyte.kernel.backup.target import damaged
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.vault import TenantKeys

LOST: Final = "backup_lost"
"""The reason of an erasure by which a document goes whose key is nowhere any more."""
_WHOLE: Final = 16 << 20
"""Bytes up to which an object is held in memory while others are written beside it."""


class BackedPlane:
    """One snapshot. See data_plane.sources.Source.

    Args:
        repository: that has it.
        snapshot: which.
        keys: the tenant's, if they are at hand.
        unseal: opens them with the identity of a recipient, if they are not.
        accept_loss: whether documents whose keys are lost are given up, and not all of the plane with them.

    Raises:
        Invalid: `backup_damaged`; `backup_keys_lost`: documents' keys are not in the mirror, and nobody erased them.
    """

    handed_out = False

    def __init__(
        self,
        repository: Repository,
        snapshot: Snapshot,
        *,
        keys: TenantKeys | None = None,
        unseal: Callable[[bytes], bytes] | None = None,
        accept_loss: bool = False,
    ) -> None:
        self.reader = repository.read(snapshot)
        self.snapshot = snapshot
        self._keys, self._unseal = keys, unseal
        try:
            self.head = msgspec.json.decode(self.reader.whole(HEAD), type=Head)
        except msgspec.MsgspecError:
            raise damaged("a snapshot's head") from None
        self.digest = hashlib.sha256(msgspec.msgpack.encode(snapshot)).hexdigest()
        self.documents = catalog.read(self.reader)
        self.mirrored = Mirror(repository.target, repository.key).entries()
        self._erased = _since(self.mirrored)
        self.lost = self._without_key()
        if self.lost and not accept_loss:
            raise Invalid(
                "backup_keys_lost",
                f"The keys of {len(self.lost)} documents are not in the backup, and nobody has erased them.",
                "If their plane is still there, back it up again. Else restore with --accept-loss: these documents "
                "are given up, and listed as erased.",
            )
        self._erased += [_given_up(doc_id, found) for doc_id, found in self.lost.items()]
        self.tail = Tail(objects=self.count())

    def keys(self) -> TenantKeys:
        """See Source. Raises Invalid: `export_identity`, `backup_keys_wanted`, `backup_damaged`."""
        if self._keys is not None:
            return self._keys
        if self._unseal is None:
            raise Invalid(
                "backup_keys_wanted",
                "The tenant's keys are not here, and nothing was given that opens them.",
                "Name the file with the age identity of a recipient of the backup (--identity).",
            )
        sealed = self.mirrored.get(TENANT)
        told = tenant_secrets(self._unseal(sealed)) if sealed else None
        if told is None or told.tenant_id != self.head.tenant_id:
            raise damaged("the sealed keys of the tenant")
        return TenantKeys(id_key=told.id_key, term_key=told.term_key, wrapping_keys=told.wrapping_keys)

    def rows(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """See Source."""
        for name in self.reader.names(f"{DATABASE}/"):
            yield name.removeprefix(f"{DATABASE}/").partition(".")[0], self.reader.blocks(name)

    def names(self) -> set[str]:
        """See Source. Every pack is read for it."""
        found = {name for name, _ in self._keys_of(frozenset())}
        for item in self._in_order(frozenset()):
            found.update(name for name, _ in self.bundle(item).objects)
        return found

    def objects(self, gone: frozenset[UUID]) -> Iterator[Brought]:
        """See Source. A large object has to be read before the next one is asked for."""
        for item in self._in_order(gone):
            for name, size, blocks in self.bundle(item):
                if size <= _WHOLE:
                    whole = b"".join(blocks)
                    yield Brought(name, size, lambda whole=whole: iter((whole,)))  # type: ignore[misc]
                else:
                    yield Brought(name, size, lambda blocks=blocks: blocks)  # type: ignore[misc]
        for name, value in self._keys_of(gone):
            yield Brought(name, len(value), lambda value=value: iter((value,)))  # type: ignore[misc]

    def bundle(self, item: Found) -> Bundle:
        """What holds a document's content. Raises Invalid("backup_damaged")."""
        return Bundle(self.reader.piece(pack, place) for pack, place in item.pieces)

    def count(self) -> int:
        """See Source."""
        return 7 * len(self.documents)

    def erased(self) -> list[ErasedSince]:
        """See Source: all that the mirror tells of; what the snapshot knows of already is among it."""
        return self._erased

    def _in_order(self, gone: frozenset[UUID]) -> list[Found]:
        here = [item for item in self.documents.values() if UUID(bytes=item.kept.doc_id) not in gone]
        return sorted(here, key=lambda item: next(((pack, place.at) for pack, place in item.pieces), (b"", 0)))

    def _keys_of(self, gone: frozenset[UUID]) -> Iterator[tuple[str, bytes]]:
        batches = msgspec.json.decode(self.reader.whole(catalog.BATCHES), type=list[str])
        documents = (
            catalog.key_name(item.kept) for doc_id, item in self.documents.items() if UUID(bytes=doc_id) not in gone
        )
        for name in (*batches, *documents):
            value = self.mirrored.get(name)
            if value is not None:
                yield name, value

    def _without_key(self) -> dict[bytes, Found]:
        """Documents whose key is nowhere, though no erasure tells of it."""
        erased = {row.doc_id.bytes for row in self._erased}
        return {
            doc_id: item
            for doc_id, item in self.documents.items()
            if doc_id not in erased and catalog.key_name(item.kept) not in self.mirrored
        }


def _since(mirrored: Mapping[str, bytes]) -> list[ErasedSince]:
    try:
        return erasures_in(mirrored)
    except msgspec.MsgspecError:
        raise damaged("the list of what was erased") from None


def _given_up(doc_id: bytes, found: Found) -> ErasedSince:
    return ErasedSince(
        erasure_id=new_id(),
        doc_id=UUID(bytes=doc_id),
        incarnation=found.kept.key,
        requested_at="",
        actor="restore",
        reason=LOST,
    )
