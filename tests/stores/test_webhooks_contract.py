"""What every relational store promises of webhooks and what they are owed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.postgres import PostgresStore
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.webhooks.records import DeliveryRow, DeliveryTally, Fate, Kind, WebhookRow
from stores.store_rows import NOW, Store, later


def write(store: Store, act: Callable[[UnitOfWork], Any]) -> Any:
    """Do it in a transaction of its own."""
    with store.unit_of_work() as uow:
        result = act(uow)
        uow.commit()
    return result


def webhook(**values: Any) -> WebhookRow:
    row: dict[str, Any] = {"sealed_url": b"\x00\xff" * 20, "created_at": NOW, "created_by": "o'ann", "salt": b"s" * 16}
    return WebhookRow(webhook_id=new_id(), **(row | values))


def delivery(webhook_id: UUID, **values: Any) -> DeliveryRow:
    row: dict[str, Any] = {"kind": Kind.BATCH_COMPLETED, "body": b'{"a":1}', "created_at": NOW, "not_before": NOW}
    return DeliveryRow(delivery_id=new_id(), webhook_id=webhook_id, **(row | values))


def added(store: Store) -> WebhookRow:
    row = webhook()
    write(store, lambda uow: uow.webhooks.put(row))
    return row


def owed(store: Store, webhook_id: UUID, **values: Any) -> DeliveryRow:
    row = delivery(webhook_id, **values)
    assert write(store, lambda uow: uow.webhooks.owe(row))
    return row


def claim(store: Store, at: float, *busy: UUID, limit: int = 10) -> list[DeliveryRow]:
    found: list[DeliveryRow] = write(store, lambda uow: uow.webhooks.claim(later(at), later(at + 60), busy, limit))
    return found


def now(store: Store, row: DeliveryRow) -> DeliveryRow | None:
    with store.unit_of_work() as uow:
        return uow.webhooks.delivery(row.delivery_id)


def test_webhooks_are_kept_changed_and_removed_with_what_they_are_owed(store: Store) -> None:
    first, second = added(store), added(store)
    changed = replace(first, salt=b"n" * 16, old_salt=first.salt, old_until=later(9))
    write(store, lambda uow: uow.webhooks.put(changed))
    mine = owed(store, first.webhook_id, batch_id=new_id())
    other = owed(store, second.webhook_id)
    with store.unit_of_work() as uow:
        assert uow.webhooks.all() == [changed, second]
        assert uow.webhooks.get(first.webhook_id, lock=True) == changed
        assert uow.webhooks.get(new_id()) is None
    assert now(store, mine) == mine
    assert write(store, lambda uow: uow.webhooks.remove(first.webhook_id))
    assert not write(store, lambda uow: uow.webhooks.remove(first.webhook_id))
    assert now(store, mine) is None
    assert now(store, other) == other
    assert not write(store, lambda uow: uow.webhooks.owe(delivery(first.webhook_id)))


def test_what_is_claimed_is_counted_and_nobody_elses_until_it_is_given_up_for_lost(store: Store) -> None:
    row = owed(store, added(store).webhook_id)
    assert claim(store, -1) == [], "not due"
    begun = replace(row, attempts=1, not_before=later(60))
    assert claim(store, 0) == [begun]
    assert claim(store, 59) == []
    assert claim(store, 60) == [replace(row, attempts=2, not_before=later(120))]
    assert not write(store, lambda uow: uow.webhooks.settle(replace(begun, state=Fate.DELIVERED, ended_at=later(61))))
    assert now(store, row) == replace(row, attempts=2, not_before=later(120)), "another attempt has begun since"


def test_one_of_each_webhook_is_claimed_the_longest_due_and_none_of_the_busy(store: Store) -> None:
    a, b, c = (added(store).webhook_id for _ in range(3))
    late = owed(store, a, not_before=later(5))
    early = owed(store, a, not_before=later(2))
    of_b, of_c = owed(store, b, not_before=later(1)), owed(store, c)
    assert {row.delivery_id for row in claim(store, 10, c)} == {early.delivery_id, of_b.delivery_id}
    assert [row.delivery_id for row in claim(store, 10, limit=1)] == [of_c.delivery_id]
    assert [row.delivery_id for row in claim(store, 10)] == [late.delivery_id]


def test_what_has_ended_is_not_claimed_and_comes_back_by_hand(store: Store) -> None:
    row = owed(store, added(store).webhook_id, batch_id=new_id())
    [begun] = claim(store, 0)
    waiting = replace(begun, not_before=later(300), status=500, code="webhook_refused", duration_ms=12)
    assert write(store, lambda uow: uow.webhooks.settle(waiting))
    assert now(store, row) == waiting
    assert write(store, lambda uow: uow.webhooks.again(row.delivery_id, later(1)))
    [begun] = claim(store, 1)
    assert begun.attempts == 2, "hurried, and not begun anew"
    dead = replace(begun, state=Fate.DEAD, ended_at=later(2), not_before=later(2))
    assert write(store, lambda uow: uow.webhooks.settle(dead))
    assert not write(store, lambda uow: uow.webhooks.settle(replace(dead, state=Fate.DELIVERED)))
    assert claim(store, 1000) == []
    assert write(store, lambda uow: uow.webhooks.again(row.delivery_id, later(3)))
    [begun] = claim(store, 3)
    assert (begun.attempts, begun.state, begun.ended_at) == (1, Fate.WAITING, None)
    delivered = replace(begun, state=Fate.DELIVERED, ended_at=later(4), code="", status=204)
    assert write(store, lambda uow: uow.webhooks.settle(delivered))
    assert not write(store, lambda uow: uow.webhooks.again(row.delivery_id, later(5)))
    assert not write(store, lambda uow: uow.webhooks.again(new_id(), later(5)))
    assert now(store, row) == delivered


def test_what_was_given_up_of_batches_is_counted_until_somebody_decides(store: Store) -> None:
    mine = added(store).webhook_id
    ended = {"ended_at": NOW, "batch_id": new_id()}
    dead, other = (owed(store, mine, state=Fate.DEAD, **ended) for _ in range(2))
    delivered, waits = owed(store, mine, state=Fate.DELIVERED, **ended), owed(store, mine)
    owed(store, mine, state=Fate.DEAD, ended_at=NOW, kind=Kind.TEST)

    def given_up() -> int:
        with store.unit_of_work(reading=True) as uow:
            return uow.webhooks.given_up()

    assert given_up() == 2
    for row in (delivered, waits):
        assert not write(store, lambda uow, row=row: uow.webhooks.drop(row.delivery_id))
        assert now(store, row) == row
    assert write(store, lambda uow: uow.webhooks.drop(dead.delivery_id))
    assert now(store, dead) is None
    assert not write(store, lambda uow: uow.webhooks.drop(dead.delivery_id))
    assert write(store, lambda uow: uow.webhooks.again(other.delivery_id, NOW))
    assert given_up() == 0


def test_deliveries_are_shown_newest_first_counted_and_forgotten(store: Store) -> None:
    mine, other = added(store).webhook_id, added(store).webhook_id
    rows = [owed(store, mine, created_at=later(number)) for number in range(3)]
    owed(store, other)
    ended = owed(store, mine, state=Fate.DELIVERED, ended_at=NOW, created_at=later(9))
    with store.unit_of_work() as uow:
        assert uow.webhooks.page(mine, limit=2) == [ended, rows[2]]
        assert uow.webhooks.page(mine, before=rows[2].delivery_id) == [rows[1], rows[0]]
        assert uow.webhooks.page(mine, state=Fate.DELIVERED) == [ended]
        tallies = {(tally.webhook_id, tally.state): tally for tally in uow.webhooks.tally()}
    assert tallies.keys() == {(mine, Fate.WAITING), (mine, Fate.DELIVERED), (other, Fate.WAITING)}
    assert tallies[mine, Fate.WAITING] == DeliveryTally(webhook_id=mine, state=Fate.WAITING, count=3, newest=later(2))
    assert write(store, lambda uow: uow.webhooks.forget(Fate.DELIVERED, NOW)) == 0
    assert write(store, lambda uow: uow.webhooks.forget(Fate.DEAD, NOW + timedelta(days=1))) == 0
    assert write(store, lambda uow: uow.webhooks.forget(Fate.DELIVERED, NOW + timedelta(days=1))) == 1
    assert now(store, ended) is None


def test_what_is_undone_is_not_owed(store: Store) -> None:
    row = delivery(added(store).webhook_id)
    with store.unit_of_work() as uow:
        uow.webhooks.owe(row)
    assert now(store, row) is None


def test_those_who_claim_at_once_never_get_the_same(postgres: PostgresStore) -> None:
    ids = [added(postgres).webhook_id for _ in range(8)]
    rows = [owed(postgres, each) for each in ids]
    found: list[DeliveryRow] = []
    threads = [threading.Thread(target=lambda: found.extend(claim(postgres, 0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.delivery_id for row in found) == sorted(row.delivery_id for row in rows)
