"""A gateway that searches, workers that write, and a vector server: processes of their own, killed in the middle."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from acceptance.index_worker import Small
from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import State
from frostbyte.kernel.settings import load
from servers.vectors import VectorsServer

PATIENCE_SECONDS = 100.0
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ran", "lin", "sto", "vek", "dam")]


class Watch:
    """Asks all the time, and keeps every answer that was half a document."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._stop = threading.Event()
        self.documents: list[UUID] = []
        self.seen: dict[tuple[UUID, str], set[int]] = {}
        self.mixed: list[UUID] = []
        self.answers = self.outages = 0
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stop.wait(0.01):
            for doc_id in list(self.documents):
                try:
                    found = self._plane.answers._search.find(
                        "part", top_k=50, filters=Filters(doc_ids=(doc_id,)), mode=Mode.LEXICAL
                    )
                except Unavailable:
                    self.outages += 1
                    continue
                self.answers += 1
                generations = {item.chunk.generation for item in found}
                if len(generations) > 1:
                    self.mixed.append(doc_id)
                elif generations:
                    self.seen.setdefault((doc_id, *generations), set()).add(len(found))

    def halves(self) -> dict[tuple[UUID, str], set[int]]:
        """Documents that were found with sometimes more, sometimes fewer of their passages."""
        return {key: counts for key, counts in self.seen.items() if len(counts) > 1}

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Site:
    """A gateway on a folder, and workers."""

    def __init__(self, folder: Path, server: VectorsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.server = server
        self._monkeypatch = monkeypatch
        self._environment = {
            "FROSTBYTE_DATA_DIR": str(folder / "plane"),
            "FROSTBYTE_VECTORS_URL": server.url,
            "FROSTBYTE_VECTORS_API_KEY": server.key,
            "FROSTBYTE_WORKERS": "1",
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.plane = self.gateway("first")
        self.chunks: dict[UUID, int] = {}

    def gateway(self, model: str) -> Plane:
        """The gateway anew, with this model; workers go on meanwhile."""
        if hasattr(self, "plane"):
            self.plane.close()
        self._monkeypatch.setattr("frostbyte.bootstrap.stores.embedder", lambda settings: Small(model))
        self.plane = build(load(self._environment))
        return self.plane

    def worker(self, model: str) -> subprocess.Popen[bytes]:
        assert self.plane.server is not None
        environment = self._environment | {"FROSTBYTE_DATABASE_URL": self.plane.server.writer_dsn, "PATH": "/usr/bin"}
        tests = str(Path(__file__).parents[1])
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("index_worker.py")), model],
            env=environment | {"PYTHONPATH": tests},
            stdout=subprocess.PIPE,
        )
        self.workers.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"works\n"
        return process

    def put(self, number: int) -> UUID:
        """A document of some passages, each of which says "part"."""
        chance = random.Random(number)
        session = self.plane.intake.open_batch("tester")
        sink = session.file("note.txt")
        marked = [f"Part {part}. " + " ".join(chance.choice(WORDS) for _ in range(40)) for part in range(5)]
        sink.write(("\n\n".join(marked) + f"\n\n{number}").encode())
        outcome = sink.finish()
        session.close()
        assert outcome.doc_id is not None
        return outcome.doc_id

    def states(self, documents: list[UUID]) -> dict[UUID, State]:
        with self.plane.store.unit_of_work() as uow:
            rows = uow.documents.get_many(documents)
        self.chunks = {doc_id: row.chunks for doc_id, row in rows.items()}
        return {doc_id: row.state for doc_id, row in rows.items()}

    def until_indexed(self, documents: list[UUID]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while set(self.states(documents).values()) != {State.INDEXED}:
            assert time.monotonic() < deadline, self.states(documents)
            time.sleep(0.1)

    def rebuilt(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if not self.plane.rebuild.step():
                    return
            except Unavailable:
                pass
            assert time.monotonic() < deadline, self.plane.rebuild.status()
            time.sleep(0.1)

    def close(self) -> None:
        for process in self.workers:
            process.kill()
            process.communicate()
        self.plane.close()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with VectorsServer(tmp_path / "vectors") as server:
        made = Site(tmp_path, server, monkeypatch)
        yield made
        made.close()


def all_found(site: Site, documents: list[UUID], mode: Mode) -> None:
    for doc_id in documents:
        found = site.plane.answers._search.find("part", top_k=50, filters=Filters(doc_ids=(doc_id,)), mode=mode)
        assert sum(1 + len(item.also) for item in found) == site.chunks[doc_id]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_half_document_while_workers_and_the_server_are_killed(site: Site) -> None:
    doomed = site.worker("first")
    site.worker("first")
    watch = Watch(site.plane)
    try:
        documents = [site.put(number) for number in range(8)]
        watch.documents = documents
        time.sleep(1.0)
        doomed.kill()
        site.server.kill()
        time.sleep(0.5)
        site.server.start()
        site.until_indexed(documents)
        version = site.plane.configuration.show()["version"]
        site.plane.configuration.change({"injection_flag": 0.2}, expected=version, actor="tester")
        site.plane.rebuild.start(actor="tester")
        site.plane.rebuild.step()
        site.server.kill()
        site.server.start()
        site.rebuilt()
    finally:
        watch.stop()
    site.states(documents)
    assert watch.answers > 20
    assert watch.mixed == []
    assert watch.halves() == {}
    assert site.plane.ports.vectors.count() == sum(site.chunks.values())
    all_found(site, documents, Mode.DENSE)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_another_model_while_workers_of_both_models_work(site: Site) -> None:
    old = site.worker("first")
    documents = [site.put(number) for number in range(5)]
    site.until_indexed(documents)
    plane = site.gateway("second")  # the database ended with the gateway: workers of the old model start anew
    old.kill()
    old = site.worker("first")
    site.worker("second")
    watch = Watch(plane)
    watch.documents = documents
    try:
        plane.rebuild.start(actor="tester")
        plane.rebuild.step()
        fresh = [site.put(number) for number in range(10, 13)]
        time.sleep(1.0)
        old.kill()  # it could only make things wait
        site.rebuilt()
        site.until_indexed([*documents, *fresh])
    finally:
        watch.stop()
    assert watch.mixed == []
    assert watch.halves() == {}
    assert plane.rebuild.status()["fits"]
    assert plane.ports.vectors.count() == sum(site.chunks.values())
    all_found(site, [*documents, *fresh], Mode.DENSE)
    plane.rebuild.sweep()
    assert plane.ports.vectors._listed() == ["1"]  # type: ignore[attr-defined]
