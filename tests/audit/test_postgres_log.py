"""The log on a real PostgreSQL: writers and sequencer at once, and how fast it numbers."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from frostbyte.cli.verifier import verify_export
from frostbyte.kernel.audit.export import Exporter
from frostbyte.kernel.audit.sequencer import Sequencer
from servers.postgres import unsynced

pytestmark = pytest.mark.slow

EVENTS_PER_SECOND = 5_000
"""The design's floor for one sequencer."""


@pytest.fixture
def plane(plane_type: Any) -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-test-"))
    server = EmbeddedServer(folder / "postgres", database="log")
    try:
        server.start()
        unsynced(server)
        migrate(server.owner_dsn)
        with PostgresStore(server.dsn("frostbyte_writer", "log")) as store:
            made = plane_type()
            made.unit_of_work = store.unit_of_work
            made.sequencer = Sequencer(store.unit_of_work, made.signer, made.clock)
            yield made
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_writers_never_wait_and_what_they_wrote_is_proven(plane: Any, tmp_path: Path) -> None:
    stop = threading.Event()
    sequencers = [
        Sequencer(plane.unit_of_work, plane.signer, plane.clock, batch=50),
        Sequencer(plane.unit_of_work, plane.signer, plane.clock, batch=70),
    ]
    running = [threading.Thread(target=sequencer.run, args=(stop, 0.01)) for sequencer in sequencers]
    chains = [[plane.chain() for _ in range(60)] for _ in range(3)]
    writers = [threading.Thread(target=lambda mine=mine: [plane.add(events) for events in mine]) for mine in chains]
    for thread in (*running, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    newest = [events[-1].event_id for mine in chains for events in mine]
    for event_id in newest:
        plane.sequencer.wait_for_checkpoint(event_id, 20)
    stop.set()
    for thread in running:
        thread.join(10)
    exporter = Exporter(plane.unit_of_work, plane.signer, "acme", plane.clock)
    assert exporter.write(tmp_path).count == 3 * 60 * 3
    verdict = verify_export(tmp_path, plane.signer.verifier_key)
    assert verdict.ok, verdict.text()


def test_a_backlog_is_numbered_and_signed_fast_enough(plane: Any) -> None:
    for _ in range(20):
        plane.add([event for _ in range(250) for event in plane.chain()])
    count, started = 0, time.perf_counter()
    while numbered := plane.sequencer.run_once():
        count += numbered
    rate = count / (time.perf_counter() - started)
    assert count == 15_000
    assert rate >= EVENTS_PER_SECOND, f"{rate:.0f} events/s"
