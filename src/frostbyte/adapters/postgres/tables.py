"""A database as tables of rows: how they are listed, read as a whole, and put back into others of the same names."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from graphlib import TopologicalSorter
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from frostbyte.adapters.postgres.mapping import Connection
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.ports.snapshot import Tally

LEFT_OUT: Final = {("audit_events", "written_by")}
"""Columns that mean something to their own server alone: numbers of transactions."""
STAYING: Final = frozenset({"account_credentials", "sessions", "sign_in_attempts"})
"""Tables of which no row leaves its server: they let people in here, and somewhere else nobody knows what was changed
since (ADR 137)."""
LOG: Final[dict[str, LiteralString]] = {
    "audit_sequence": "log <> current_log() OR sequence < {size}",
    "audit_nodes": "log <> current_log() OR (index + 1) * (1::bigint << level) <= {size}",
    "audit_checkpoints": "log <> current_log() OR size <= {size}",
    "audit_cosignatures": "log <> current_log() OR size <= {size}",
}
"""Tables of the log, cut where a checkpoint of this size ends. A node stands for 2^level leaves. Logs that ended before
(of what was restored) are whole."""

SEGMENTED: Final[dict[str, LiteralString]] = {
    "audit_sequence": "audit_sequence AS rows WHERE log = {log} AND sequence >= {start} AND sequence < {end}",
    "audit_events": "audit_sequence AS numbered CROSS JOIN LATERAL "
    "(SELECT * FROM audit_events WHERE audit_events.event_id = numbered.event_id OFFSET 0) AS rows "
    "WHERE numbered.log = {log} AND numbered.sequence >= {start} AND numbered.sequence < {end}",
    "audit_nodes": "generate_series(0, 62) AS levels (l) CROSS JOIN LATERAL "
    "(SELECT * FROM audit_nodes WHERE log = {log} AND level = l::smallint "
    "AND index >= ({start}::bigint >> l) AND index < ({end}::bigint >> l) OFFSET 0) AS rows",
}
"""Tables of the log that only grow: what once came with a number of events never changes.

`OFFSET 0` has the server ask its index for each row or level. Left to choose, it reads a whole table for every segment
as soon as that is a few hundred thousand rows, and a log's backup takes the square of its length.
"""
_SHORT: Final = 128 << 10
_LONG: Final = 1 << 20
_ENDS: Final = 0xFF
"""A part of a table has 128 KiB to 1 MiB, and ends there behind one row in 256."""

_TABLES: Final = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
    "AND NOT relispartition ORDER BY relname"
)
_FUNCTIONS: Final = (
    "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
    "AND pg_has_role(proowner, 'USAGE') "
    "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') ORDER BY 1"
)
_COLUMNS: Final = (
    "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
    "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition "
    "AND attnum > 0 AND NOT attisdropped "
    "AND attgenerated = '' AND relname <> 'schema_migrations' ORDER BY relname, attnum"
)
_REFERENCES: Final = (
    "SELECT a.relname, b.relname FROM pg_constraint JOIN pg_class a ON a.oid = conrelid "
    "JOIN pg_class b ON b.oid = confrelid WHERE contype = 'f' AND conrelid <> confrelid "
    "AND connamespace = 'public'::regnamespace"
)


def names(connection: Connection) -> list[str]:
    """Of all tables, the list of migrations among them; a partition is none."""
    return [row[0] for row in connection.execute(_TABLES).fetchall()]


def heads(connection: Connection) -> tuple[TableHead, ...]:
    """All tables but the list of migrations; those that others refer to come first."""
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(_COLUMNS).fetchall():
        if (table, column) not in LEFT_OUT and table not in STAYING:
            columns.setdefault(table, []).append(column)
    order = TopologicalSorter[str](dict.fromkeys(columns, ()))
    for table, other in connection.execute(_REFERENCES).fetchall():
        if table in columns and other in columns:  # a partition's rows are its table's
            order.add(table, other)
    return tuple(TableHead(name=name, columns=tuple(columns[name])) for name in order.static_order())


def read(connection: Connection, table: TableHead, most: int, log_size: int) -> Iterator[bytes]:
    """A table's rows as PostgreSQL's COPY writes them as text, in parts of whole rows.

    Args:
        most: bytes of a part, unless one row has more.
        log_size: what of the log is taken, in events.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    query = sql.SQL("SELECT {columns} FROM {table}").format(columns=columns, table=sql.Identifier(table.name))
    if table.name in LOG:
        cut = sql.SQL(LOG[table.name]).format(size=sql.Literal(log_size))
        query = sql.SQL("{query} WHERE {cut}").format(query=query, cut=cut)
    statement = sql.SQL("COPY ({query}) TO STDOUT").format(query=query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        yield from _parts(map(bytes, copy), most)


def pieces(connection: Connection, table: TableHead, log_size: int) -> Iterator[bytes]:
    """The rows as `read` gives them, in parts that end behind rows of a certain content.

    So a row that changes, comes or goes changes its own part, and the others are what they were.
    """
    held: list[bytes] = []
    size = 0
    for block in read(connection, table, 0, log_size):
        held.append(block)
        size += len(block)
        if size >= _LONG or (size >= _SHORT and not zlib.crc32(block) & _ENDS):
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def tallies(connection: Connection, names: Sequence[str], first: int | None) -> dict[str, Tally]:
    """Rows of tables, and those of them that no transaction before `first` wrote (all of them for None).

    A row's version names the transaction that wrote it, by 32 bits; `age` counts back from now as they wrap around.
    """
    fresh: sql.Composable = sql.SQL("true")
    if first is not None:
        fresh = sql.SQL("age(xmin) <= age({}::xid)").format(sql.Literal(str(first % (1 << 32))))
    query = sql.SQL("SELECT {name}, count(*), count(*) FILTER (WHERE {fresh}) FROM {table}")
    asked = [query.format(name=sql.Literal(name), fresh=fresh, table=sql.Identifier(name)) for name in names]
    return {name: Tally(*told) for name, *told in connection.execute(sql.SQL(" UNION ALL ").join(asked)).fetchall()}


def segment(connection: Connection, table: TableHead, log: int, start: int, end: int) -> Iterator[bytes]:
    """The rows of one of the `SEGMENTED` tables that came with events `start` to `end` of a log, as `read` gives them.

    Args:
        log: its number.
        start, end: in events; a node of the tree came with the last event that it stands for.
    """
    rows = sql.SQL(SEGMENTED[table.name]).format(log=sql.Literal(log), start=sql.Literal(start), end=sql.Literal(end))
    columns = sql.SQL(", ").join(sql.Identifier("rows", name) for name in table.columns)
    query = sql.SQL("SELECT {columns} FROM {rows}").format(columns=columns, rows=rows)
    statement = sql.SQL("COPY ({query}) TO STDOUT").format(query=query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        yield from _parts(map(bytes, copy), _SHORT)


def _parts(rows: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The server sends a row at a time; here they come in parts of at least `most` bytes."""
    held: list[bytes] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row)
        if size >= most and row.endswith(b"\n"):
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def clear(connection: Connection) -> None:
    """Take away all tables and functions of ours: those of another schema come in their place."""
    for (table,) in connection.execute(_TABLES).fetchall():
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
    for (function,) in connection.execute(_FUNCTIONS).fetchall():
        connection.execute(sql.SQL("DROP FUNCTION " + function))


def put(connection: Connection, table: str, columns: tuple[str, ...], rows: Iterable[bytes]) -> None:
    """Put rows into a table, as `read` gave them. Raises Invalid("archive_broken") where they do not fit."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in rows:
                copy.write(block)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError):
        raise broken("its rows do not fit its tables") from None
