"""What every relational store promises of jobs and leases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import Stage
from stores.store_rows import NOW, Store, job, later, write

ALL = tuple(Stage)


def test_a_lease_takes_the_most_urgent_and_counts(store: Store) -> None:
    soon, sooner, future = job(not_before=later(-1)), job(not_before=later(-2)), job(not_before=later(1))
    write(store, lambda uow: [uow.jobs.put(row) for row in (soon, sooner, future)])
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w1", NOW, 30, ALL)
        assert leased == replace(sooner, attempt=1, fence=1, worker="w1", leased_until=later(30))
        assert uow.jobs.get(sooner.doc_id) == leased
        second = uow.jobs.lease("w1", NOW, 30, ALL)
        assert second is not None
        assert second.doc_id == soon.doc_id
        assert uow.jobs.lease("w1", NOW, 30, ALL) is None
        uow.commit()


def test_a_lease_asks_for_stages_and_passes_over_the_dead(store: Store) -> None:
    write(store, lambda uow: (uow.jobs.put(job(stage=Stage.EMBED)), uow.jobs.put(job(dead=True))))
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w", NOW, 30, [Stage.SCAN, Stage.PARSE]) is None
        assert uow.jobs.lease("w", NOW, 30, []) is None
        found = uow.jobs.lease("w", NOW, 30, [Stage.EMBED])
        assert found is not None
        assert found.stage is Stage.EMBED


def test_a_lease_that_ran_out_goes_to_another_and_fences_the_first(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        first = uow.jobs.lease("w1", NOW, 10, ALL)
        uow.commit()
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w2", later(9.9), 10, ALL) is None
        second = uow.jobs.lease("w2", later(10), 10, ALL)
        uow.commit()
    assert first is not None
    assert second is not None
    assert (second.attempt, second.fence, second.worker) == (2, 2, "w2")
    with store.unit_of_work() as uow:
        assert not uow.jobs.renew(first, later(11), 10)
        assert not uow.jobs.finish(first)
        assert not uow.jobs.postpone(first, later(99))
        assert uow.jobs.get(row.doc_id) == second
        assert uow.jobs.renew(second, later(15), 10)
        renewed = uow.jobs.get(row.doc_id)
        assert renewed is not None
        assert renewed.leased_until == later(25)
        assert uow.jobs.finish(second)
        assert uow.jobs.get(row.doc_id) is None
        assert not uow.jobs.finish(second)
        uow.commit()


def test_a_lease_counts_only_when_committed(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w", NOW, 30, ALL) is not None
    with store.unit_of_work() as uow:
        assert uow.jobs.get(row.doc_id) == row


def test_an_open_lease_is_passed_over_not_waited_for(store: Store) -> None:
    write(store, lambda uow: [uow.jobs.put(job()) for _ in range(2)])
    with store.unit_of_work() as one, store.unit_of_work() as two:
        first, second = one.jobs.lease("w1", NOW, 30, ALL), two.jobs.lease("w2", NOW, 30, ALL)
        assert first is not None
        assert second is not None
        assert first.doc_id != second.doc_id
        assert two.jobs.lease("w2", NOW, 30, ALL) is None


def test_many_workers_never_get_the_same_job(store: Store) -> None:
    rows = [job() for _ in range(60)]
    write(store, lambda uow: [uow.jobs.put(row) for row in rows])

    def drain(number: int) -> list[object]:
        mine: list[object] = []
        while True:
            with store.unit_of_work() as uow:
                leased = uow.jobs.lease(f"w{number}", NOW, 30, ALL)
                uow.commit()
            if leased is None:
                return mine
            mine.append(leased.doc_id)

    with ThreadPoolExecutor(4) as pool:
        taken = [doc_id for mine in pool.map(drain, range(4)) for doc_id in mine]
    # A worker may meet the last free jobs while others hold their rows, and leave; nothing is taken twice.
    assert len(taken) == len(set(taken))
    with store.unit_of_work() as uow:
        left = [row.doc_id for row in rows if uow.jobs.lease("last", NOW, 30, ALL) is not None]
        assert len(left) + len(taken) == len(rows)


def test_a_job_is_postponed_refunded_and_buried(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w", NOW, 30, ALL)
        assert leased is not None
        assert uow.jobs.postpone(leased, later(60), refund=True)
        assert uow.jobs.get(row.doc_id) == replace(row, fence=1, not_before=later(60))
        assert uow.jobs.lease("w", later(59), 30, ALL) is None
        again = uow.jobs.lease("w", later(60), 30, ALL)
        assert again is not None
        assert (again.attempt, again.fence) == (1, 2)
        assert uow.jobs.postpone(again, later(61), dead=True)
        assert uow.jobs.lease("w", later(99), 30, ALL) is None
        assert uow.jobs.counts() == {"dead": 1}
        assert not uow.jobs.renew(again, later(62), 30)


def test_a_job_replaces_the_open_one_of_its_document(store: Store) -> None:
    old = job()
    new = job(doc_id=old.doc_id, stage=Stage.PARSE)
    write(store, lambda uow: uow.jobs.put(old))
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w", NOW, 30, ALL)
        uow.commit()
    assert leased is not None
    write(store, lambda uow: uow.jobs.put(new))
    with store.unit_of_work() as uow:
        assert uow.jobs.get(old.doc_id) == new
        assert not uow.jobs.finish(leased)
        uow.jobs.cancel(old.doc_id)
        uow.jobs.cancel(old.doc_id)
        assert uow.jobs.get(old.doc_id) is None


def test_open_jobs_are_counted_by_stage(store: Store) -> None:
    with store.unit_of_work() as uow:
        assert uow.jobs.counts() == {"dead": 0}
        for stage in (Stage.SCAN, Stage.SCAN, Stage.INDEX):
            uow.jobs.put(job(stage=stage))
        uow.jobs.put(job(dead=True))
        assert uow.jobs.counts() == {"scan": 2, "index": 1, "dead": 1}


def test_a_named_job_is_taken_if_it_is_free(store: Store) -> None:
    wanted, other, dead = job(), job(not_before=later(-9)), job(dead=True)
    write(store, lambda uow: [uow.jobs.put(row) for row in (wanted, other, dead)])
    with store.unit_of_work() as uow:
        leased = uow.jobs.claim(wanted.job_id, "w1", NOW, 30)
        assert leased == replace(wanted, attempt=1, fence=1, worker="w1", leased_until=later(30))
        assert uow.jobs.get(wanted.doc_id) == leased
        assert uow.jobs.claim(wanted.job_id, "w2", later(29), 30) is None
        again = uow.jobs.claim(wanted.job_id, "w2", later(30), 30)
        assert again is not None
        assert (again.attempt, again.fence, again.worker) == (2, 2, "w2")
        assert uow.jobs.claim(dead.job_id, "w1", NOW, 30) is None
        assert uow.jobs.claim(new_id(), "w1", NOW, 30) is None
        assert uow.jobs.postpone(again, later(99))
        assert uow.jobs.claim(wanted.job_id, "w1", later(98), 30) is None


def test_a_named_job_that_another_is_taking_is_not_waited_for(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as one, store.unit_of_work() as two:
        assert one.jobs.claim(row.job_id, "w1", NOW, 30) is not None
        assert two.jobs.claim(row.job_id, "w2", NOW, 30) is None


def test_two_claims_at_once_give_the_job_to_one(store: Store) -> None:
    rows = [job() for _ in range(40)]
    write(store, lambda uow: [uow.jobs.put(row) for row in rows])

    def take(number: int) -> int:
        taken = 0
        for row in rows:
            with store.unit_of_work() as uow:
                taken += uow.jobs.claim(row.job_id, f"w{number}", NOW, 30) is not None
                uow.commit()
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == len(rows)


def test_jobs_that_wait_for_a_worker_are_told_oldest_first(store: Store) -> None:
    fresh, old, older = job(not_before=later(-1)), job(not_before=later(-5)), job(not_before=later(-6))
    others = (
        job(not_before=later(-9), stage=Stage.PARSE),
        job(not_before=later(-9), dead=True),
        job(not_before=later(1)),
    )
    held = job(not_before=later(-9))
    write(store, lambda uow: [uow.jobs.put(row) for row in (fresh, old, older, held, *others)])
    with store.unit_of_work() as uow:
        leased = uow.jobs.claim(held.job_id, "w", later(-9), 6)  # until three seconds ago
        assert leased is not None
        assert uow.jobs.due(Stage.SCAN, NOW) == [leased, older, old, fresh]
        assert uow.jobs.due(Stage.SCAN, NOW, waited=2) == [leased, older, old]
        assert uow.jobs.due(Stage.SCAN, NOW, waited=4) == [older, old]
        assert uow.jobs.due(Stage.SCAN, NOW, limit=1) == [leased]
        assert uow.jobs.due(Stage.EMBED, NOW) == []


def test_jobs_are_found_and_listed_by_page(store: Store) -> None:
    rows = sorted((job(dead=number % 2 == 0) for number in range(4)), key=lambda row: row.job_id)
    rows.append(job(stage=Stage.INDEX))
    write(store, lambda uow: [uow.jobs.put(row) for row in rows])
    with store.unit_of_work() as uow:
        assert uow.jobs.find(rows[1].job_id) == rows[1]
        assert uow.jobs.find(new_id()) is None
        assert uow.jobs.page() == rows
        assert uow.jobs.page(dead=True) == [row for row in rows if row.dead]
        assert uow.jobs.page(dead=False, stage=Stage.INDEX) == rows[4:]
        assert uow.jobs.page(after=rows[0].job_id, limit=2) == rows[1:3]


def test_a_job_that_is_put_off_can_be_hurried(store: Store) -> None:
    off, dead, due = job(not_before=later(300)), job(not_before=later(300), dead=True), job(not_before=later(-1))
    write(store, lambda uow: [uow.jobs.put(row) for row in (off, dead, due)])
    with store.unit_of_work() as uow:
        assert uow.jobs.hurry(off.job_id, NOW)
        assert not any(uow.jobs.hurry(row.job_id, NOW) for row in (off, dead, due))
        assert uow.jobs.get(off.doc_id) == replace(off, not_before=NOW)
        assert uow.jobs.claim(off.job_id, "w", NOW, 30) is not None
        assert not uow.jobs.hurry(off.job_id, later(-5))


def test_a_tally_tells_what_waits_how_long_and_whose_worker_is_gone(store: Store) -> None:
    old, young, dead = job(stage=Stage.PARSE), job(stage=Stage.PARSE), job(stage=Stage.EMBED, dead=True)
    write(store, lambda uow: [uow.jobs.put(row) for row in (old, young, dead)])
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w", NOW, 10, [Stage.PARSE]) is not None
        uow.commit()
    with store.unit_of_work() as uow:
        before = {(row.stage, row.dead): row for row in uow.jobs.tally(later(9))}
        after = {(row.stage, row.dead): row for row in uow.jobs.tally(later(11))}
    parse = before[Stage.PARSE, False]
    assert (parse.count, parse.overdue, parse.oldest) == (2, 0, min(old.job_id, young.job_id))
    assert after[Stage.PARSE, False].overdue == 1
    assert after[Stage.EMBED, True].count == 1
    assert after[Stage.EMBED, True].overdue == 0
    assert set(after) == {(Stage.PARSE, False), (Stage.EMBED, True)}
