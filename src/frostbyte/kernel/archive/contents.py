"""What an archive says of its plane, and the names of what it holds. docs/export-format.md describes all of it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.kernel.archive.file import FORMAT, Member, broken
from frostbyte.kernel.errors import Invalid

TAIL: Final = "end.json"
KEYS: Final = "keys.age"
"""The tenant's keys (TenantSecrets), sealed with age for the recipient that Head names."""
AUDIT: Final = "audit"
"""The folder of an audit export (kernel.audit.export): its three files as they are."""
DATABASE: Final = "database"
OBJECTS: Final = "objects"
CONFIG: Final = "config/tenant.json"
"""The configuration in force, to be read by people; all its versions are in the table `configs`."""
RULES: Final = "config/policy"
"""Rule files, where the plane had some of its own."""


class TableHead(msgspec.Struct, frozen=True, kw_only=True):
    """A table in the archive: the columns that were taken, in the order of the fields of its rows."""

    name: str
    columns: tuple[str, ...]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself before anything else.

    Attributes:
        export_id: of the handout, which destruction receipts list.
        tenant_id: whose plane it was.
        created_at: ISO 8601 UTC: the moment of the database's snapshot.
        version: of Frostbyte.
        schema: number of the newest migration of the database.
        migrations: names of the applied migrations and the SHA-256 (hex) of each.
        tables: of the database, in an order in which rows can be put back (references point to earlier ones).
        origin: name of the plane's log.
        public_key: its verifier key.
        checkpoint: the signed note that the archive's events end with.
        log_size: number of events under it.
        recipient: the age public key that the tenant's keys are sealed for.
        documents: that were not erased at that moment.
        embeddings: names of what made the vectors, as documents have them; one, but for the time of a rebuild.
        format: FORMAT.
    """

    export_id: UUID
    tenant_id: str
    created_at: str
    version: str
    schema: int
    migrations: dict[str, str]
    tables: tuple[TableHead, ...]
    origin: str
    public_key: str
    checkpoint: str
    log_size: int
    recipient: str
    documents: int
    embeddings: tuple[str, ...] = ()
    format: str = FORMAT


class ErasedSince(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that came after the snapshot: whoever restores has to carry it out first."""

    erasure_id: UUID
    doc_id: UUID
    incarnation: int
    requested_at: str
    actor: str
    reason: str


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """What came to be of it.

    Attributes:
        objects: how many there are, keys among them.
        erased: what was erased after the snapshot was taken. The keys of these documents are not in the archive.
        void: objects that were taken away while they were read, by such an erasure; zeros stand in their place.
        missing: objects that documents need and the store does not have. Empty in a healthy plane.
    """

    objects: int
    erased: tuple[ErasedSince, ...] = ()
    void: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class TenantSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a tenant as they travel, sealed. What signs (the log's key, tokens' keys) never does.

    Attributes:
        id_key, term_key: 32 bytes each.
        wrapping_keys: by version.
    """

    export_id: UUID
    tenant_id: str
    id_key: bytes
    term_key: bytes
    wrapping_keys: dict[int, bytes]


def table_part(table: str, number: int) -> str:
    """The name of a part of a table's rows. Parts of one table follow each other, from 0 on."""
    return f"{DATABASE}/{table}.{number:06}.copy"


def read_head(member: Member) -> Head:
    """The archive's first member.

    Raises:
        Invalid: `archive_broken`; `archive_format`: of a format that this version does not know.
    """
    data = member.whole()
    try:
        told = msgspec.json.decode(data, type=dict[str, Any]).get("format")
        if told == FORMAT:
            return msgspec.json.decode(data, type=Head)
    except msgspec.MsgspecError:
        raise broken("its head cannot be read") from None
    raise Invalid(
        "archive_format",
        f"The archive is of another format than {FORMAT}.",
        "Use the version of Frostbyte that wrote it, or a later one.",
    )


def read_tail(member: Member) -> Tail:
    """What came to be of it. Raises Invalid("archive_broken")."""
    try:
        return msgspec.json.decode(member.whole(), type=Tail)
    except msgspec.MsgspecError:
        raise broken("its end cannot be read") from None
