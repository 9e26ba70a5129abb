"""What is as it was in the backup before, told by the database itself, so that it is named again without being read.

A database numbers its transactions, and each version of a row names the one that wrote it. So it can say of a table how
many rows it has, and whether one of them was written since an earlier snapshot; both together tell whether the table is
the same (ADR 143). That holds while the database has gone on from that snapshot: it knows the run that made it, on the
same server, and its tables have the same columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from frostbyte.kernel.backup.repository import Snapshot
from frostbyte.kernel.ports.snapshot import Snapshot as Database
from frostbyte.kernel.ports.snapshot import Tally

FACT = "standing"
"""Under which name a snapshot's facts tell of it."""
DOCUMENTS = "documents"


class Bundled(msgspec.Struct, frozen=True, kw_only=True):
    """Where a snapshot has the bundles of all documents.

    Attributes:
        packs: numbers in its table of packs.
        bytes: that they take.
        settled: whether a run after it has nothing to do for them where no document changed: each has a stamp, each
            pack is of enough use.
    """

    packs: list[int]
    bytes: int
    settled: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot's facts tell, for the run after it.

    Attributes:
        mark: the database's, of its snapshot.
        shape: a hash of its migrations and columns.
        rows: by table.
        bundled: of the documents.
    """

    mark: str
    shape: str
    rows: dict[str, int]
    bundled: Bundled


def read(facts: Mapping[str, Any]) -> Standing | None:
    """What the facts of a snapshot tell; None where it is of an earlier version of Frostbyte."""
    try:
        return msgspec.convert(facts.get(FACT), Standing)
    except msgspec.ValidationError:
        return None


def tallies(database: Database, before: Standing | None) -> dict[str, Tally]:
    """The rows of each table, counted against the backup before."""
    usable = before is not None and before.shape == shape(database)
    return database.tallies(before.mark if before is not None and usable else "")


def unchanged(before: Standing | None, now: Mapping[str, Tally]) -> frozenset[str]:
    """Tables that are what they were."""
    if before is None:
        return frozenset()
    return frozenset(name for name, tally in now.items() if not tally.fresh and before.rows.get(name, -1) == tally.rows)


def told(database: Database, now: Mapping[str, Tally], bundled: Bundled) -> dict[str, Any]:
    """What a snapshot's facts have to tell of itself."""
    rows = {name: tally.rows for name, tally in now.items()}
    said = Standing(mark=database.mark, shape=shape(database), rows=rows, bundled=bundled)
    return {FACT: msgspec.to_builtins(said)}


def shape(database: Database) -> str:
    """A hash of what decides how rows are written: a migration may change them without writing them."""
    columns = [(table.name, table.columns) for table in database.tables]
    return hashlib.sha256(msgspec.json.encode((database.migrations, columns))).hexdigest()


def of(snapshot: Snapshot | None, *, known: bool) -> Standing | None:
    """What the backup before tells, if the database has gone on from it.

    Args:
        known: whether the database knows the run that made it. One that was put back to an earlier state does not, and
            its transactions may have the numbers of others.
    """
    return read(snapshot.facts) if snapshot is not None and known else None
