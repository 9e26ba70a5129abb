"""Killed at any moment, an upload has either its whole receipt or leaves only what the sweep removes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from frostbyte.data_plane.intake import sweep_orphans
from frostbyte.kernel.records import Outcome, State
from intake.door_bench import EXE, TXT, Bench

pytestmark = pytest.mark.parametrize("bench", ["memory", "postgres"], indirect=True)


class Killed(BaseException):
    """Nothing after it runs."""


def kill_at(bench: Bench, moment: int) -> None:
    """Die at the n-th step that leaves a trace: an object's commit, a put, a delete, before or after a commit."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == moment:
            raise Killed

    blobs, real_unit, real_put, real_delete = bench.blobs, bench.store.unit_of_work, bench.blobs.put, bench.blobs.delete

    def put(name: str, data: bytes) -> None:
        step()
        real_put(name, data)
        step()

    def delete(name: str) -> None:
        step()
        real_delete(name)

    @contextmanager
    def unit(*, reading: bool = False) -> Iterator[Any]:
        with real_unit(reading=reading) as uow:
            commit = uow.commit

            def committing() -> None:
                step()
                commit()
                step()

            uow.commit = committing  # type: ignore[method-assign]
            yield uow

    blobs.put, blobs.delete, bench.intake.unit_of_work = put, delete, unit  # type: ignore[method-assign]


def revive(bench: Bench) -> None:
    del bench.blobs.put, bench.blobs.delete
    bench.intake.unit_of_work = bench.store.unit_of_work


@pytest.mark.parametrize("key", ["", "k1"])
@pytest.mark.parametrize("moment", range(1, 24))
def test_killed_anywhere_the_next_upload_and_the_sweep_put_it_right(bench: Bench, moment: int, key: str) -> None:
    files = [("a", TXT), ("b", EXE), ("c", TXT)]
    kill_at(bench, moment)
    try:
        bench.send(*files, key=key)
        survived = True
    except Killed:
        survived = False
    revive(bench)
    assert survived == (moment > 19)  # else the range does not reach all steps, or reaches too far
    for row in bench.documents():  # whatever is committed is whole
        assert bench.vault.get(row.raw_object, bench.vault.load_key(row.key_object)) == TXT
        with bench.store.unit_of_work() as uow:
            assert uow.jobs.get(row.doc_id) is not None
    result = bench.send(*files, key=key)
    assert [file.outcome is Outcome.REJECTED for file in result.files] == [False, True, False]
    sweep_orphans(bench.store.unit_of_work, bench.blobs, older_than_seconds=0.0)
    (row,) = bench.documents()
    assert bench.vault.get(row.raw_object, bench.vault.load_key(row.key_object)) == TXT
    assert list(bench.blobs.names("raw/")) == [row.raw_object]
    assert bench.event_types().count("DOCUMENT_INGESTED") == 1
    again = bench.send(*files, key=key)
    assert [file.filename for file in again.files] == ["a", "b", "c"]


def test_the_sweep_spares_what_is_young_and_what_is_not_ours(bench: Bench) -> None:
    names = ["raw/0190a0b0-0000-7000-8000-000000000000.aa", "raw/notes.txt", "keys/batch-x", "keys/other.0"]
    for name in names:
        bench.blobs.put(name, b"x")
    assert sweep_orphans(bench.store.unit_of_work, bench.blobs) == 0
    assert sweep_orphans(bench.store.unit_of_work, bench.blobs, older_than_seconds=0.0) == 1
    assert list(bench.blobs.names("")) == sorted(names[1:])


def test_the_sweep_finishes_what_an_erasure_left(bench: Bench) -> None:
    bench.one(TXT)
    bench.change(lambda row: replace(row, state=State.ERASED, incarnation=1))
    assert sweep_orphans(bench.store.unit_of_work, bench.blobs, older_than_seconds=0.0) == 2
    assert list(bench.blobs.names("")) == []
