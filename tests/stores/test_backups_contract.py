"""What a plane remembers of its backups, asked of both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import BackupRunRow

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(day: int, *, keys: bool = True, mirrored: bool = True, snapshot: str = "") -> BackupRunRow:
    begun = START + timedelta(days=day)
    return BackupRunRow(
        run_id=new_id(),
        repository=new_id(),
        begun_at=begun,
        keys_read_at=begun + timedelta(minutes=1) if keys else None,
        mirrored_at=begun + timedelta(minutes=5) if keys and mirrored else None,
        snapshot=snapshot,
    )


def put(store: Any, *rows: BackupRunRow) -> None:
    with store.unit_of_work() as uow:
        for row in rows:
            uow.backups.put(row)
        uow.commit()


def test_the_newest_snapshot_and_the_first_mirror_after_a_moment(store: Any) -> None:
    with store.unit_of_work(reading=True) as uow:
        assert uow.backups.latest() is None
        assert uow.backups.of_snapshot("") is None
        assert not uow.backups.any_mirror()
        assert uow.backups.mirrored_since(START) is None
        assert uow.backups.erasures() == []
    first, second = run(1, snapshot="a"), run(2, snapshot="b")
    keys_alone, cut_off, not_mirrored = run(3), run(4, keys=False), run(5, mirrored=False)
    put(store, second, first, keys_alone, cut_off, not_mirrored)
    with store.unit_of_work(reading=True) as uow:
        assert uow.backups.latest() == second
        assert uow.backups.of_snapshot("a") == first
        assert uow.backups.any_mirror()
        assert uow.backups.mirrored_since(START) == first.mirrored_at
        assert uow.backups.mirrored_since(first.keys_read_at) == first.mirrored_at
        assert uow.backups.mirrored_since(first.keys_read_at + timedelta(seconds=1)) == second.mirrored_at
        assert uow.backups.mirrored_since(keys_alone.begun_at) == keys_alone.mirrored_at
        assert uow.backups.mirrored_since(cut_off.begun_at) is None, "that run never came to its mirror"
    changed = BackupRunRow(run_id=first.run_id, repository=first.repository, begun_at=first.begun_at, code="x")
    put(store, changed)
    with store.unit_of_work(reading=True) as uow:
        assert uow.backups.of_snapshot("a") is None
