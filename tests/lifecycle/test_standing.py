"""What a backup takes over without reading: only what the database vouches for, from a snapshot that it knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from frostbyte.data_plane.lifecycle import standing
from frostbyte.data_plane.lifecycle.standing import Bundled
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.backup.repository import Snapshot
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.snapshot import Tally

BUNDLED = Bundled(packs=[0, 2], bytes=70, settled=True)


class Database:
    """A snapshot of a database, as far as it is asked here."""

    def __init__(self, migrations: dict[str, str], columns: tuple[str, ...] = ("doc_id", "size")) -> None:
        self.mark = "1/2/3"
        self.migrations = migrations
        self.tables = (TableHead(name="documents", columns=columns),)
        self.asked: list[str] = []

    def tallies(self, since: str = "") -> dict[str, Tally]:
        self.asked.append(since)
        return {"documents": Tally(5, 0 if since else 5)}


def snapshot(facts: dict[str, Any]) -> Snapshot:
    now = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    return Snapshot(name="n", snapshot_id=new_id(), taken_at=now, facts=facts, packs=(), sizes=(), members=())


def told(database: Any) -> dict[str, Any]:
    return standing.told(database, database.tallies(), BUNDLED)


def test_what_is_told_comes_back() -> None:
    database: Any = Database({"001": "a"})
    found = standing.of(snapshot(told(database) | {"documents": 5}), known=True)
    assert found is not None
    assert (found.mark, found.rows, found.bundled) == ("1/2/3", {"documents": 5}, BUNDLED)


def test_the_database_is_asked_against_the_snapshot_only_where_its_tables_are_the_same() -> None:
    before = standing.read(told(Database({"001": "a"})))
    for database, asked in (
        (Database({"001": "a"}), "1/2/3"),
        (Database({"001": "a", "002": "b"}), ""),
        (Database({"001": "a"}, ("doc_id",)), ""),
    ):
        assert standing.unchanged(before, standing.tallies(database, before)) == ({"documents"} if asked else set())  # type: ignore[arg-type]
        assert database.asked == [asked]


def test_another_number_of_rows_or_a_fresh_one_is_a_change() -> None:
    before = standing.read(told(Database({})))
    assert standing.unchanged(before, {"documents": Tally(5, 0)}) == {"documents"}
    assert standing.unchanged(before, {"documents": Tally(4, 0)}) == set()
    assert standing.unchanged(before, {"documents": Tally(5, 1)}) == set()
    assert standing.unchanged(before, {"newer": Tally(0, 0)}) == set()
    assert standing.unchanged(None, {"documents": Tally(5, 0)}) == set()


def test_without_a_snapshot_that_the_database_knows_nothing_is_taken_over() -> None:
    whole = snapshot(told(Database({})))
    assert standing.of(whole, known=True) is not None
    assert standing.of(whole, known=False) is None
    assert standing.of(None, known=True) is None
    for facts in ({}, {"standing": None}, {"standing": {"mark": "1/2/3"}}):
        assert standing.of(snapshot(facts), known=True) is None, "an earlier version's"
