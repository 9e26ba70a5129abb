"""The keys of a plane in its backup, in their latest state alone: what was destroyed here is gone there.

With them go what was erased since any snapshot, so that it is erased again before a restored plane serves, and the
tenant's keys, sealed with age for those who may open the backup when everything else is lost.

A key is taken out of the mirror only if its document was erased, or if no snapshot has a document for it. A plane that
has lost keys, or one that was restored from an earlier snapshot, does not make the backup lose them too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.lifecycle import catalog
from frostbyte.kernel.archive.contents import ErasedSince, TenantSecrets
from frostbyte.kernel.backup.mirror import Mirror, Mirrored
from frostbyte.kernel.backup.repository import Repository
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import ErasureRow
from frostbyte.kernel.vault import TenantKeys, wrapping_version

__all__ = ["ERASURES", "TENANT", "KeyMirror", "Mirrored", "erasures_in"]

KEYS: Final = "keys/"
ERASURES: Final = "erasures/"
_BEFORE: Final = f"{ERASURES}before-"
"""Erasures of the plane's earlier lives that a restored one does not know, by the number of its log."""
TENANT: Final = "tenant/keys.age"
_AT_ONCE: Final = 16
_GROUP: Final = 64

_ErasedList = list[ErasedSince]


class KeyMirror:
    """Brings the mirror of one plane's keys up to date.

    Args:
        tenant_id: whose.
        unit_of_work: opens transactions.
        blobs: where the keys are.
        keys: the tenant's.
        seal: seals with age for the backup's recipients.
        recipients: who they are, so that a change of them is seen.
        clock: for dates.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        blobs: BlobStore,
        keys: TenantKeys,
        seal: Callable[[bytes], bytes],
        recipients: Sequence[str],
        clock: Clock,
    ) -> None:
        self._tenant_id, self._unit_of_work, self._blobs = tenant_id, unit_of_work, blobs
        self._keys, self._seal, self._recipients, self._clock = keys, seal, tuple(recipients), clock

    def bring(self, repository: Repository) -> tuple[datetime, Mirrored]:
        """Have it be as the plane's keys are now.

        Returns:
            the moment before which whatever was destroyed is not in it, and what it came to.

        Raises:
            Conflict: `backup_overtaken`.
            Unavailable: what a store or the target says.
        """
        read_at = self._clock.now()
        newest = str(max(self._keys.wrapping_keys))
        marks = dict.fromkeys(self._blobs.names(KEYS), newest)
        mirror = Mirror(repository.target, repository.key)
        with self._unit_of_work(reading=True) as uow:  # after the keys: what is not there by now is on this record
            erased = uow.backups.erasures()
            life = len(uow.audit.ended())
        recipients = _mark(" ".join(self._recipients).encode())
        if mirror.facts()[1].get("recipients", recipients) != recipients:
            repository.seal_for(self._seal)
        at_hand = self._at_hand(erased, mirror, life)
        marks |= {name: _mark(value) for name, value in at_hand.items()}
        marks[TENANT] = self._mark_of_tenant()
        verdicts = [repository.verdict(name) for name in repository.snapshots()[-1:]]
        done = mirror.replace(
            marks,
            lambda names: self._values(names, at_hand),
            spare=lambda names: self._spared(names, erased, repository),
            epoch=life,
            written_at=iso(read_at),
            facts={"tenant_id": self._tenant_id, "life": life, "recipients": recipients},
            distrust=any(said is not None and not said.ok for said in verdicts),
        )
        return read_at, done

    def _at_hand(self, erased: list[ErasureRow], mirror: Mirror, life: int) -> dict[str, bytes]:
        """Lists of erasures by month; and what an earlier life of the plane knew, in the first run of this one."""
        months: dict[str, _ErasedList] = {}
        for row in erased:
            months.setdefault(f"{ERASURES}{row.requested_at:%Y-%m}", []).append(_told(row))
        found = {name: msgspec.msgpack.encode(rows) for name, rows in months.items()}
        if life and mirror.facts()[1].get("life", life) < life:
            known = {row.erasure_id for row in erased}
            before = [row for row in erasures_in(mirror.entries()) if row.erasure_id not in known]
            found[f"{_BEFORE}{life}"] = msgspec.msgpack.encode(before)
        return found

    def _values(self, names: Sequence[str], at_hand: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
        found = {name: (_mark(at_hand[name]), at_hand[name]) for name in names if name in at_hand}
        if TENANT in names:
            found[TENANT] = (self._mark_of_tenant(), self._sealed_keys())
        wanted = [name for name in names if name.startswith(KEYS)]
        groups = [wanted[at : at + _GROUP] for at in range(0, len(wanted), _GROUP)]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="keys") as threads:
            for fetched in threads.map(self._fetched, groups):
                found |= fetched
        return found

    def _fetched(self, names: Iterable[str]) -> dict[str, tuple[str, bytes]]:
        found: dict[str, tuple[str, bytes]] = {}
        for name in names:
            try:
                value = self._blobs.get(name)
            except NotFound:
                continue  # destroyed since it was listed
            found[name] = (str(wrapping_version(value)), value)
        return found

    def _spared(self, names: list[str], erased: list[ErasureRow], repository: Repository) -> Iterator[str]:
        """Of what the plane does not have any more, what stays in the mirror."""
        last: dict[str, int] = {}
        for row in erased:
            last[str(row.doc_id)] = max(row.incarnation, last.get(str(row.doc_id), -1))
        unaccounted = []
        for name in names:
            doc_id, _, number = name.removeprefix(KEYS).rpartition(".")
            if name.startswith(_BEFORE):
                yield name
            elif name.startswith(KEYS) and not (doc_id in last and int(number) <= last[doc_id]):
                unaccounted.append(name)
        if unaccounted:
            wanted = _named(repository)
            yield from (name for name in unaccounted if name in wanted)

    def _mark_of_tenant(self) -> str:
        keys = self._keys
        parts = [keys.id_key, keys.term_key, *(keys.wrapping_keys[number] for number in sorted(keys.wrapping_keys))]
        return _mark(b"".join(hashlib.sha256(part).digest() for part in parts) + " ".join(self._recipients).encode())

    def _sealed_keys(self) -> bytes:
        return self._seal(
            msgspec.json.encode(
                TenantSecrets(
                    export_id=UUID(int=0),
                    tenant_id=self._tenant_id,
                    id_key=self._keys.id_key,
                    term_key=self._keys.term_key,
                    wrapping_keys=dict(self._keys.wrapping_keys),
                )
            )
        )


def erasures_in(entries: Mapping[str, bytes]) -> list[ErasedSince]:
    """All erasures that a mirror tells of, each once."""
    found: dict[UUID, ErasedSince] = {}
    for name, value in entries.items():
        if name.startswith(ERASURES):
            for row in msgspec.msgpack.decode(value, type=_ErasedList):
                found[row.erasure_id] = row
    return list(found.values())


def _named(repository: Repository) -> set[str]:
    """Names of the keys that some snapshot needs."""
    found: set[str] = set()
    for name in repository.snapshots():
        reader = repository.read(repository.snapshot(name))
        found.update(catalog.key_name(item.kept) for item in catalog.read(reader).values())
        found.update(msgspec.json.decode(reader.whole(catalog.BATCHES), type=list[str]))
    return found


def _told(row: ErasureRow) -> ErasedSince:
    return ErasedSince(
        erasure_id=row.erasure_id,
        doc_id=row.doc_id,
        incarnation=row.incarnation,
        requested_at=iso(row.requested_at),
        actor=row.actor,
        reason=row.reason,
    )


def _mark(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:32]
