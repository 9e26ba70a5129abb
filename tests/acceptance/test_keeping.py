"""Retention and holds on a real plane: keys, objects and vectors go, what is held stays, and a kill changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.lifecycle.holds import Reason, ReleaseReason
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import PlaneState, State, TrustedTimeRow, Upkeep
from frostbyte.kernel.settings import load

pytestmark = pytest.mark.slow

Send = Callable[..., UUID]
Settle = Callable[[], None]
WORDS = ("heliotrope", "zircon", "obsidian", "malachite")


def text(word: str) -> bytes:
    return f"1. Storage\n\nThe {word} samples are kept at minus eighty degrees in the reserve freezer.\n".encode()


def grow_old(plane: Plane, *doc_ids: UUID, days: int = 2600) -> None:
    with plane.store.unit_of_work() as uow:
        for doc_id in doc_ids:
            row = uow.documents.get(doc_id, lock=True)
            assert row is not None
            uow.documents.put(replace(row, received_at=row.received_at - timedelta(days=days)))
        uow.commit()


def found(plane: Plane, word: str) -> set[str]:
    said = plane.answers.answer(word, top_k=10, filters=Filters(), mode=Mode.HYBRID, actor="tester")
    return {hit["doc_id"] for hit in said["results"]}


def there(plane: Plane, doc_id: UUID) -> bool:
    """Whether key and vectors are there; both or none."""
    row = plane.documents.row(doc_id)
    key = bool(list(plane.vault.blobs.names(f"keys/{doc_id}.")))
    assert key == plane.vault.blobs.exists(row.raw_object) == bool(plane.ports.vectors.count(doc_id))
    assert key is (row.state is not State.ERASED)
    return key


def test_maintenance_erases_what_is_old_and_not_held(plane: Plane, send: Send, settle: Settle) -> None:
    old, held, new = (send(f"{word}.txt", text(word)) for word in WORDS[:3])
    settle()
    grow_old(plane, old, held)
    hold = plane.holds.place("2026-0147", Reason.LITIGATION, doc_ids=[held], actor="counsel")
    with pytest.raises(Conflict) as caught:
        plane.erasure.erase(held, actor="officer", reason="request")
    assert caught.value.code == "document_held"
    plane.maintain()
    settle()
    assert [there(plane, doc_id) for doc_id in (old, held, new)] == [False, True, True]
    assert str(old) not in found(plane, WORDS[0])
    assert str(held) in found(plane, WORDS[1])
    [run] = plane.retention.runs()["runs"]
    assert (run["erased"], run["held"], run["remaining"]) == (1, 1, 0)
    plane.holds.release(UUID(hold["hold_id"]), ReleaseReason.CLOSED, actor="counsel")
    plane.maintain()
    assert there(plane, held), "the next run is tomorrow's"
    [item] = plane.retention.plan()["documents"]
    assert item["doc_id"] == str(held)
    events = plane.record.events(
        resource_id=None, type="RETENTION_RUN", since=None, until=None, after=-1, limit=10, log=None
    )["events"]
    assert [event["details"]["erased"] for event in events] == [1]


def test_a_plane_that_is_suspended_or_updated_erases_nothing(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send("old.txt", text(WORDS[0]))
    settle()
    grow_old(plane, doc_id)
    plane.gate.tell(PlaneState.ACTIVE, None, Upkeep.READING)
    plane.maintain()
    with plane.store.unit_of_work() as uow:
        assert uow.retention.trusted() is None
    plane.gate.tell(PlaneState.SUSPENDED, None)
    plane.maintain()
    with plane.store.unit_of_work() as uow:
        assert uow.retention.trusted() is not None, "a pause is not taken for a leap"
    assert there(plane, doc_id)
    assert plane.retention.runs()["runs"] == []
    plane.gate.tell(PlaneState.ACTIVE, None)
    plane.maintain()
    assert not there(plane, doc_id)


def test_a_document_that_comes_while_the_clock_is_behind_is_not_old_from_the_start(plane: Plane, send: Send) -> None:
    ahead = plane.clock.now() + timedelta(days=400)  # so this plane's clock is 400 days behind what it was sure of
    with plane.store.unit_of_work() as uow:
        uow.retention.trust(TrustedTimeRow(trusted_at=ahead))
        uow.commit()
    doc_id = send("late.txt", text(WORDS[0]))
    assert plane.documents.row(doc_id).received_at == ahead


DOOMED = """
import os, signal, sys
from pathlib import Path
from frostbyte.bootstrap.data import build
from frostbyte.kernel.settings import load

plane = build(load({"FROSTBYTE_DATA_DIR": sys.argv[1], "FROSTBYTE_WORKERS": "1"}))
method, left = plane.ports.vectors.delete_document, [3]

def dying(*args, **more):
    left[0] -= 1
    if left[0] == 0:
        print("dying", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return method(*args, **more)

plane.ports.vectors.delete_document = dying
plane.retention.turn()
"""


def test_a_run_that_is_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
    settings = {"FROSTBYTE_DATA_DIR": str(tmp_path / "plane"), "FROSTBYTE_WORKERS": "1"}
    plane = build(load(settings))
    session = plane.intake.open_batch("tester")
    doc_ids = []
    for word in WORDS:
        sink = session.file(f"{word}.txt")
        sink.write(text(word))
        outcome = sink.finish()
        assert outcome.doc_id is not None
        doc_ids.append(outcome.doc_id)
    session.close()
    while plane.runner.run_one():
        pass
    grow_old(plane, *doc_ids)
    plane.close()
    done = subprocess.run(
        [sys.executable, "-c", DOOMED, str(tmp_path / "plane")],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "dying" in done.stdout) == (-signal.SIGKILL, True), done.stderr
    plane = build(load(settings))
    try:
        before: Any = plane.retention.runs()["runs"]
        assert [(run["finished_at"], run["erased"]) for run in before] == [(None, 3)]
        plane.maintain()
        assert [there(plane, doc_id) for doc_id in doc_ids] == [False] * 4
        [run] = plane.retention.runs()["runs"]
        assert (run["run_id"], run["erased"], run["remaining"]) == (before[0]["run_id"], 4, 0)
    finally:
        plane.close()
