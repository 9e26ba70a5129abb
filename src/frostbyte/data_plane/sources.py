"""What a plane is restored from: an exported archive, or a snapshot of a backup."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol
from uuid import UUID

import msgspec

from frostbyte.kernel.archive.contents import KEYS, OBJECTS, ErasedSince, Head, Tail, TenantSecrets
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.archive.index import Archive
from frostbyte.kernel.vault import TenantKeys


class Brought(msgspec.Struct, frozen=True):
    """An object that a source holds: its name in the store, its size in bytes, and what reads it once."""

    name: str
    size: int
    blocks: Callable[[], Iterator[bytes]]


class Source(Protocol):
    """A whole plane as it was at one moment. What reads it raises Invalid: `archive_broken`, `backup_damaged`."""

    @property
    def head(self) -> Head: ...
    @property
    def tail(self) -> Tail: ...
    @property
    def digest(self) -> str:
        """SHA-256 (hex) that the audit calls it by."""
        ...

    @property
    def handed_out(self) -> bool:
        """Whether somebody else holds copies of it, which receipts have to name."""
        ...

    def keys(self) -> TenantKeys:
        """The tenant's keys. Raises Invalid where they cannot be opened."""
        ...

    def rows(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Table and rows of each part of the database, in order."""
        ...

    def names(self) -> Collection[str]:
        """Names of all objects."""
        ...

    def objects(self, gone: frozenset[UUID]) -> Iterator[Brought]:
        """All objects, but perhaps without those of documents that are gone."""
        ...

    def count(self) -> int:
        """About how many objects there are."""
        ...

    def erased(self) -> list[ErasedSince]:
        """What was erased since, as far as the source itself knows."""
        ...


class ArchiveSource:
    """An exported archive as a source.

    Args:
        archive: read through and found whole.
        unseal: opens the tenant's keys with the recipient's identity; raises Invalid where it is another's.
    """

    handed_out = True

    def __init__(self, archive: Archive, unseal: Callable[[bytes], bytes]) -> None:
        self._archive, self._unseal = archive, unseal
        self.head, self.tail = archive.head, archive.tail
        self.digest = archive.sealed.sha256
        self._void = set(archive.tail.void)

    def keys(self) -> TenantKeys:
        """See Source. Raises Invalid("archive_broken") where they are not this archive's."""
        told = tenant_secrets(self._unseal(self._archive.whole(KEYS)))
        if told is None:
            raise broken("its keys cannot be read")
        if (told.export_id, told.tenant_id) != (self.head.export_id, self.head.tenant_id):
            raise broken("its keys are of another export")
        return TenantKeys(id_key=told.id_key, term_key=told.term_key, wrapping_keys=told.wrapping_keys)

    def rows(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """See Source."""
        return self._archive.rows()

    def names(self) -> set[str]:
        """See Source."""
        found = (member.removeprefix(f"{OBJECTS}/") for member in self._archive.names(OBJECTS))
        return {name for name in found if name not in self._void}

    def objects(self, gone: frozenset[UUID]) -> Iterator[Brought]:
        """See Source."""
        for member in self._archive.names(OBJECTS):
            name = member.removeprefix(f"{OBJECTS}/")
            if name not in self._void:
                yield Brought(name, self._archive.size(member), lambda member=member: self._archive.blocks(member))  # type: ignore[misc]

    def count(self) -> int:
        """See Source."""
        return self.tail.objects

    def erased(self) -> list[ErasedSince]:
        """See Source."""
        return list(self.tail.erased)


def tenant_secrets(opened: bytes) -> TenantSecrets | None:
    """The tenant's keys as they travel; None where it is something else."""
    try:
        return msgspec.json.decode(opened, type=TenantSecrets)
    except msgspec.MsgspecError:
        return None
