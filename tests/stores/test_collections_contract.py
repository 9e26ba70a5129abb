"""What every relational store says of the collections that there are."""

from __future__ import annotations

import threading
from typing import Any

from msgspec.structs import replace

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import RebuildRow
from stores.store_rows import NOW, Store, later, write


def rebuild(**values: Any) -> RebuildRow:
    defaults: dict[str, Any] = {"rebuild_id": new_id(), "started_at": NOW, "actor": "tester"}
    return RebuildRow(**(defaults | values))


def test_the_serving_and_the_making_collection_are_told(store: Store) -> None:
    first = rebuild(collection="one")
    second = rebuild(started_at=later(10))
    with store.unit_of_work() as uow:
        assert uow.rebuilds.collections() == uow.rebuilds.collections(hold=True) == ("", "")
        uow.rebuilds.put(first)
        assert uow.rebuilds.collections(hold=True) == ("", "one")
        uow.rebuilds.put(replace(first, finished_at=later(5)))
        assert uow.rebuilds.collections(hold=True) == ("one", "")
        uow.rebuilds.put(second)
        assert uow.rebuilds.collections() == ("one", ""), "it replaces document by document"


def test_a_switch_waits_for_a_commit_that_relies_on_what_serves(store: Store) -> None:
    row = rebuild(collection="one")
    write(store, lambda uow: uow.rebuilds.put(row))
    order: list[str] = []

    def switch() -> None:
        write(store, lambda uow: uow.rebuilds.put(replace(row, finished_at=later(5))))
        order.append("switched")

    thread = threading.Thread(target=switch)
    with store.unit_of_work() as uow:
        assert uow.rebuilds.collections(hold=True) == ("", "one")
        thread.start()
        thread.join(0.3)
        order.append("committed")
        uow.commit()
    thread.join(10)
    assert order == ["committed", "switched"]
