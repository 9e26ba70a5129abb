"""What every relational store promises of what scanners say."""

from __future__ import annotations

from frostbyte.kernel.records import ScannerRow
from stores.store_rows import NOW, Store, later, write


def test_the_last_word_of_each_scanner_counts(store: Store) -> None:
    write(store, lambda uow: uow.scanners.saw("worker@b", later(-900), NOW))
    write(store, lambda uow: uow.scanners.saw("worker@a", None, later(1)))
    write(store, lambda uow: uow.scanners.saw("worker@b", later(-100), later(2)))
    with store.unit_of_work(reading=True) as uow:
        assert uow.scanners.seen(later(2), 300) == [
            ScannerRow(name="worker@a", made_at=None, seen_at=later(1)),
            ScannerRow(name="worker@b", made_at=later(-100), seen_at=later(2)),
        ]


def test_who_was_not_heard_of_is_not_counted_and_then_forgotten(store: Store) -> None:
    write(store, lambda uow: uow.scanners.saw("worker@a", NOW, NOW))
    write(store, lambda uow: uow.scanners.saw("worker@b", NOW, later(400)))
    with store.unit_of_work() as uow:
        assert [row.name for row in uow.scanners.seen(later(400), 300)] == ["worker@b"]
        assert [row.name for row in uow.scanners.seen(later(400), 500)] == ["worker@a", "worker@b"]
    write(store, lambda uow: uow.scanners.saw("worker@b", NOW, later(86_401)))
    with store.unit_of_work() as uow:
        assert [row.name for row in uow.scanners.seen(later(86_401), 1e6)] == ["worker@b"]
