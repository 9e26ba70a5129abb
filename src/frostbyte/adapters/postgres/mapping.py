"""Rows to SQL and back: each row type is one table whose columns carry the names of the row's fields."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, Generic, LiteralString, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import psycopg
from msgspec.structs import fields
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_loads

from frostbyte.adapters.postgres.errors import translated
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import only_reading
from frostbyte.kernel.records import Row

R = TypeVar("R", bound=Row)

Connection = psycopg.Connection[tuple[Any, ...]]


def render(template: LiteralString, **parts: sql.Composable) -> str:
    """SQL text made of a template of ours and quoted identifiers; values always travel as parameters."""
    return sql.SQL(template).format(**parts).as_string(None)


class Table(Generic[R]):
    """Maps one row type. `listed` is its columns; `select` (`SELECT columns FROM table`) and `update` are continued."""

    def __init__(self, name: str, row: type[R], key: str) -> None:
        self.row = row
        hints = get_type_hints(row)
        self.names = tuple(field.name for field in fields(row))
        self._decoders = [(i, d) for i, n in enumerate(self.names) if (d := _decoder(hints[n])) is not None]
        self._encoders = [(i, e) for i, n in enumerate(self.names) if (e := _encoder(hints[n])) is not None]
        self._read = attrgetter(*self.names)
        table = sql.Identifier(name)
        self.columns = sql.SQL(", ").join([sql.Identifier(name, n) for n in self.names])
        bare = sql.SQL(", ").join([sql.Identifier(n) for n in self.names])
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(self.names))
        others = sql.SQL(", ").join(
            [sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(n)) for n in self.names if n != key]
        )
        self.listed = render("{columns}", columns=self.columns)
        self.select = render("SELECT {columns} FROM {table} ", columns=self.columns, table=table)
        self.returning = render(" RETURNING {columns}", columns=self.columns)
        self.copy = render("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", table=table, columns=bare)
        self.insert = render("INSERT INTO {table} ({columns}) VALUES ({marks})", table=table, columns=bare, marks=marks)
        fresh = sql.SQL(", ").join(
            [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder()) for n in self.names]
        )
        self.update = render("UPDATE {table} SET {fresh} ", table=table, fresh=fresh)
        self.upsert = self.insert + render(
            " ON CONFLICT ({key}) DO UPDATE SET {others}", key=sql.Identifier(key), others=others
        )

    def encode(self, row: R) -> list[Any]:
        """The row's values in the order of the columns."""
        values = list(self._read(row))
        for position, encoder in self._encoders:
            if values[position] is not None:
                values[position] = encoder(values[position])
        return values

    def decode(self, record: Sequence[Any]) -> R:
        """A row from a record whose first columns are this table's."""
        values = list(record[: len(self.names)])
        for position, decoder in self._decoders:
            if values[position] is not None:
                values[position] = decoder(values[position])
        return self.row(**dict(zip(self.names, values, strict=True)))


def _plain(hint: Any) -> Any:
    """The type without `| None`."""
    if get_origin(hint) in (types.UnionType, Union):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _encoder(hint: Any) -> Callable[[Any], Any] | None:
    kind = _plain(hint)
    if get_origin(kind) is dict:
        return _json
    if get_origin(kind) is tuple:
        return list
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return str
    return None


def _json(value: Any) -> Jsonb:
    return Jsonb(value, dumps=msgspec.json.encode)


def _decoder(hint: Any) -> Callable[[Any], Any] | None:
    kind = _plain(hint)
    if get_origin(kind) is tuple:
        return tuple
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    return None


def prepare(connection: Connection) -> None:
    """Have a fresh connection read JSON the way that it is written."""
    set_json_loads(msgspec.json.decode, connection)


_LOCKING: Final = (" FOR UPDATE", " FOR SHARE", "_lock(", "_lock_shared(")


class Session:
    """The connection of a unit of work, while it is open.

    Args:
        reading: whether only what changes nothing may be asked of it.
    """

    def __init__(self, connection: Connection, *, reading: bool = False) -> None:
        self._connection: Connection | None = connection
        self._reading = reading

    @property
    def connection(self) -> Connection:
        """The open connection.

        Raises:
            FrostbyteError: `unit_of_work_closed` after commit or at the end of the block.
        """
        if self._connection is None:
            raise FrostbyteError(
                "unit_of_work_closed", "The transaction was ended already.", "Open another unit of work."
            )
        return self._connection

    def changing(self) -> Connection:
        """The open connection, for what changes something.

        Raises:
            FrostbyteError: `unit_of_work_reading`, `unit_of_work_closed`.
        """
        if self._reading:
            raise only_reading()
        return self.connection

    def asking(self, query: str) -> Connection:
        """The open connection, for a query: one that changes or locks is refused while only reading. Raises so too."""
        looks = query.startswith("SELECT ") and not any(word in query for word in _LOCKING)
        return self.connection if looks else self.changing()

    def close(self) -> None:
        """Refuse further work."""
        self._connection = None


class Repository:
    """Runs statements of one unit of work with translated errors."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _run(self, query: str, parameters: Sequence[Any] = ()) -> int:
        """Execute; the number of rows touched."""
        connection = self._session.changing()
        with translated():
            return connection.execute(_sql(query), parameters).rowcount

    def _one(self, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        connection = self._session.asking(query)
        with translated():
            return connection.execute(_sql(query), parameters, binary=True).fetchone()

    def _all(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        connection = self._session.asking(query)
        with translated():
            return connection.execute(_sql(query), parameters, binary=True).fetchall()

    def _copy(self, statement: str, kinds: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Binary COPY of the rows, whose columns have the types `kinds`."""
        connection = self._session.changing()
        with translated(), connection.cursor() as cursor, cursor.copy(_sql(statement)) as copy:
            copy.set_types(kinds)
            for row in rows:
                copy.write_row(row)


def _sql(text: str) -> sql.SQL:
    """Only constants and what render() made reach this."""
    return sql.SQL(text)
