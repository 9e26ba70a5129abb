"""A rebuild of the index runs beside what answers, goes on after a kill, and is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.embeddings.lexical import LexicalOnly
from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.vectors import CollectionSpec
from frostbyte.kernel.records import RebuildRow, State
from frostbyte.kernel.settings import load

pytestmark = pytest.mark.slow


class Other:
    """Another model: 16 dimensions, a direction for each length of word."""

    remote = False
    label = "other"
    spec = CollectionSpec(model="other", version="1", dimensions=16, window=256)

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.query(text) for text in texts]

    def query(self, text: str) -> list[float]:
        counts = [0.01] * 16
        for word in text.split():
            counts[len(word) % 16] += 1.0
        norm = sum(value * value for value in counts) ** 0.5
        return [value / norm for value in counts]


class Starter:
    """Starts planes on one folder, with one embedder or another."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self.open: list[Plane] = []

    def __call__(self, embedder: Any) -> Plane:
        for plane in self.open:
            plane.close()
        self._monkeypatch.setattr("frostbyte.bootstrap.stores.embedder", lambda settings: embedder)
        plane = build(load({"FROSTBYTE_DATA_DIR": str(self._folder), "FROSTBYTE_WORKERS": "1"}))
        self.open = [plane]
        return plane


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    starter = Starter(tmp_path / "plane", monkeypatch)
    yield starter
    for plane in starter.open:
        plane.close()


def put(plane: Plane, text: str) -> UUID:
    session = plane.intake.open_batch("tester")
    sink = session.file("note.txt")
    sink.write(text.encode())
    outcome = sink.finish()
    session.close()
    assert outcome.doc_id is not None
    return outcome.doc_id


def work(plane: Plane, jobs: int = 10_000) -> int:
    done = 0
    while done < jobs and plane.runner.run_one():
        done += 1
    return done


def through(plane: Plane) -> dict[str, Any]:
    for _ in range(20):
        if not plane.rebuild.step():
            break
        work(plane)
    return progress(plane)


def progress(plane: Plane) -> dict[str, Any]:
    found: dict[str, Any] = plane.rebuild.status()["rebuild"]
    return found


def found(plane: Plane, query: str, mode: Mode = Mode.HYBRID) -> list[UUID]:
    answer = plane.answers.answer(query, top_k=2, filters=Filters(), mode=mode, actor="tester")
    return [UUID(item["doc_id"]) for item in answer["results"]]


TEXTS = [
    "The penguin colony on the southern island grew by forty pairs after the ban on fishing.",
    "Der Mietvertrag über die Werkhalle endet am 31. August 2032 ohne Kündigung.",
    "Autoclave A2 aborted its cycle three times; biomedical engineering was called at night.",
    "Invoice INV-2026-0417 for the hire of a ground radar is due on 17 May 2026.",
    "The scholarship covers tuition and living costs for four years of marine engineering.",
]


@pytest.fixture
def filled(start: Starter) -> tuple[Starter, Plane, list[UUID]]:
    plane = start(E5())
    ids = [put(plane, text) for text in TEXTS]
    work(plane)
    return start, plane, ids


def generations(plane: Plane, ids: list[UUID]) -> list[str]:
    with plane.store.unit_of_work() as uow:
        rows = uow.documents.get_many(ids)
    return [rows[doc_id].active_generation for doc_id in ids]


def test_a_changed_configuration_is_applied_document_by_document(filled: tuple[Starter, Plane, list[UUID]]) -> None:
    _, plane, ids = filled
    before = generations(plane, ids)
    version = plane.configuration.show()["version"]
    plane.configuration.change({"injection_flag": 0.2}, expected=version, actor="tester")
    began = plane.rebuild.start(actor="tester")["rebuild"]
    assert (began["state"], began["total"], began["done"], began["beside"]) == ("running", 5, 0, False)
    with pytest.raises(Conflict, match="already"):
        plane.rebuild.start(actor="tester")
    assert plane.rebuild.step()
    work(plane, jobs=4)  # in the middle: four stages of some documents
    assert all(ids[n] in found(plane, text[:40]) for n, text in enumerate(TEXTS))
    fresh = put(plane, "Lighthouse keepers report fog over the strait.")
    ended = through(plane)
    assert (ended["state"], ended["done"], ended["failed"], ended["seconds_left"]) == ("finished", 6, 0, None)
    after = generations(plane, ids)
    assert not set(before) & set(after)
    assert plane.ports.vectors.count() == 6  # the old points are gone
    assert fresh in found(plane, "lighthouse fog")
    assert all(ids[n] in found(plane, text[:40]) for n, text in enumerate(TEXTS))
    plane.rebuild.step()
    with plane.store.unit_of_work() as uow:
        assert all(not uow.chunks.of_document(doc_id, old) for doc_id, old in zip(ids, before, strict=True))


def test_what_is_of_todays_versions_is_passed_over(filled: tuple[Starter, Plane, list[UUID]]) -> None:
    _, plane, ids = filled
    before = generations(plane, ids)
    plane.rebuild.start(actor="tester")
    assert through(plane)["done"] == 5
    assert generations(plane, ids) == before


def test_another_model_is_made_beside_and_switched_to_at_once(filled: tuple[Starter, Plane, list[UUID]]) -> None:
    start, plane, ids = filled
    before = generations(plane, ids)
    plane = start(Other())
    assert not plane.rebuild.status()["fits"]
    assert found(plane, "penguins", Mode.DENSE)[0] == ids[0]  # asked of the model that made the index
    waiting = put(plane, "Lighthouse keepers report fog over the strait.")
    work(plane)
    with plane.store.unit_of_work() as uow:
        row = uow.documents.get(waiting)
    assert row is not None
    assert (row.state, row.code) == (State.WAITING, "embedding_mismatch")
    assert plane.rebuild.start(actor="tester")["rebuild"]["beside"]
    plane.rebuild.step()
    work(plane, jobs=9)
    assert generations(plane, ids) == before
    assert found(plane, "penguins", Mode.DENSE)[0] == ids[0]
    with plane.store.unit_of_work() as uow:  # its time has come
        job = uow.jobs.get(waiting)
        assert job is not None
        uow.jobs.put(replace(job, not_before=plane.clock.now()))
        uow.commit()
    while plane.rebuild.step() and progress(plane)["running"] + progress(plane)["done"] < 5:
        work(plane)
    work(plane)
    assert waiting in found(plane, "lighthouse fog")  # by its words, before the switch
    assert generations(plane, ids) == before
    ended = through(plane)
    assert (ended["state"], ended["done"]) == ("finished", 6)
    assert plane.rebuild.status()["fits"]
    assert not set(before) & set(generations(plane, ids))
    assert sorted(found(plane, "penguins", Mode.DENSE)) == sorted(found(plane, "penguins", Mode.DENSE))
    assert plane.ports.vectors.count() == 6
    assert ids[3] in found(plane, "INV-2026-0417")
    plane = start(Other())  # the new collection is the one that is opened
    assert plane.rebuild.status()["fits"]
    assert ids[1] in found(plane, "Mietvertrag Werkhalle")


@pytest.mark.parametrize("embedder", [E5(), Other()], ids=["replaced one by one", "beside"])
def test_a_plane_that_died_goes_on_where_it_was(filled: tuple[Starter, Plane, list[UUID]], embedder: Any) -> None:
    start, plane, ids = filled
    plane = start(embedder)
    version = plane.configuration.show()["version"]
    plane.configuration.change({"injection_flag": 0.2}, expected=version, actor="tester")
    plane.rebuild.start(actor="tester")
    for jobs in (1, 3, 2):
        plane.rebuild.step()
        work(plane, jobs=jobs)
        plane = start(embedder)  # nothing but what is durable is left
        assert all(ids[n] in found(plane, text[:40]) for n, text in enumerate(TEXTS))
    assert through(plane)["state"] == "finished"
    assert plane.ports.vectors.count() == 5
    assert all(ids[n] in found(plane, text[:40]) for n, text in enumerate(TEXTS))


def test_erasing_in_the_middle_erases_in_both(filled: tuple[Starter, Plane, list[UUID]]) -> None:
    start, plane, ids = filled
    plane = start(Other())
    plane.rebuild.start(actor="tester")
    while plane.rebuild.step() and progress(plane)["done"] < 5:
        if not work(plane):
            break
        break
    work(plane)
    assert max(map(plane.ports.vectors.count, ids)) == 2  # in both collections
    for doc_id in ids[:3]:
        plane.erasure.erase(doc_id, actor="tester", reason="request")
        assert plane.ports.vectors.count(doc_id) == 0
        assert doc_id not in found(plane, TEXTS[ids.index(doc_id)])
    assert through(plane)["state"] == "finished"
    assert [plane.ports.vectors.count(doc_id) for doc_id in ids] == [0, 0, 0, 1, 1]


def test_a_failed_document_holds_the_switch_until_someone_decides(
    filled: tuple[Starter, Plane, list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, plane, ids = filled
    plane = start(Other())
    with plane.store.unit_of_work() as uow:
        row = uow.documents.get(ids[2])
        assert row is not None
        plane.vault.blobs.delete(row.raw_object)
    plane.rebuild.start(actor="tester")
    with pytest.raises(Conflict) as early:
        plane.rebuild.finish(actor="tester")
    assert early.value.code == "rebuild_not_through"
    monkeypatch.setattr("frostbyte.data_plane.flow.attempts", lambda stage: 1)
    held = through(plane)
    assert (held["state"], held["failed"], held["done"]) == ("held", 1, 4)
    assert ids[2] in found(plane, TEXTS[2])  # its old passages answer still
    plane.rebuild.finish(actor="tester")
    assert progress(plane)["state"] == "finished"
    assert ids[1] in found(plane, "Mietvertrag Werkhalle")


def test_what_new_rules_forbid_is_not_shown_any_more(start: Starter) -> None:
    plane = start(E5())
    doc_id = put(plane, "Write to the harbour master at jane.doe@example.org about berths.")
    work(plane)
    assert found(plane, "harbour master") == [doc_id]
    version = plane.configuration.show()["version"]
    plane.configuration.change({"pii_policy": "block"}, expected=version, actor="tester")
    plane.rebuild.start(actor="tester")
    assert through(plane)["done"] == 1
    assert found(plane, "harbour master") == []
    assert plane.ports.vectors.count() == 0


def test_without_the_old_model_the_question_goes_by_words(
    filled: tuple[Starter, Plane, list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, plane, ids = filled
    plane = start(Other())
    monkeypatch.setattr(plane.answers._search, "_embedders", (Other(),))
    answer = plane.answers.answer("Mietvertrag", top_k=1, filters=Filters(), mode=Mode.HYBRID, actor="tester")
    assert answer["results"][0]["doc_id"] == str(ids[1])
    assert answer["embedding"]["label"].startswith("words alone")
    with pytest.raises((Conflict, Unavailable)):
        found(plane, "Mietvertrag", Mode.DENSE)


def test_what_was_written_while_another_process_switched_is_written_again(start: Starter) -> None:
    plane = start(LexicalOnly())
    doc_id = put(plane, "The berth was dredged in spring.")
    work(plane, 4)
    now = plane.clock.now()
    switched = RebuildRow(rebuild_id=new_id(), started_at=now, finished_at=now, actor="other", collection="other")
    with plane.store.unit_of_work() as uow:  # as the plane's own process does, of which a worker does not know yet
        uow.rebuilds.put(switched)
        uow.commit()
    assert plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code, row.active_generation) == (State.WAITING, "index_switched", "")
    plane.ports.vectors.follow(("other", ""))  # as a worker does before each job
    (job,) = plane.jobs.page()["jobs"]
    plane.jobs.retry(UUID(job["job_id"]), actor="tester")
    assert work(plane) == 1
    assert found(plane, "berth") == [doc_id]
